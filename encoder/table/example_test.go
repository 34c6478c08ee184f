package table_test

import (
	"context"
	"fmt"
	"log"

	"github.com/lupadb/lupa/encoder/table"
)

func ExampleNew() {
	enc, err := table.New("animals", []string{"a wolf", "a dog"}, [][]float32{{3, 4}, {1, 0}})
	if err != nil {
		log.Fatal(err)
	}
	vectors, err := enc.EncodeTexts(context.Background(), []string{"a wolf"})
	fmt.Println(vectors, err)

	_, err = enc.EncodeTexts(context.Background(), []string{"a wlof"})
	fmt.Println(err)
	// Output:
	// [[0.6 0.8]] <nil>
	// encoder animals knows 2 fixed prompts and "a wlof" is not among them (did you mean "a wolf"?)
}
