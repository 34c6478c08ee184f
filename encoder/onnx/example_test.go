package onnx_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/encoder/onnx"
)

// Ranking pictures by a phrase without a database. (Not run here: it needs
// libonnxruntime.)
func Example() {
	enc, err := onnx.Open("testdata/toy-clip/model", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer enc.Close()
	ctx := context.Background()
	texts, err := enc.EncodeTexts(ctx, []string{"a wolf"})
	if err != nil {
		log.Fatal(err)
	}
	data, err := os.ReadFile("testdata/toy-clip/scenes/scene004.png")
	if err != nil {
		log.Fatal(err)
	}
	pictures, err := enc.EncodeImages(ctx, []encoder.Image{{Data: data}})
	if err != nil {
		log.Fatal(err)
	}
	if pictures[0].Err != nil {
		log.Fatal(pictures[0].Err)
	}
	var similarity float32
	for i, v := range texts[0] {
		similarity += v * pictures[0].Vector[i]
	}
	fmt.Printf("%.2f\n", similarity)
}

// What a directory on disk is; no runtime is needed for that.
func ExampleInspect() {
	folder, err := onnx.Inspect("../../testdata/models/tiny-immich", "")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(folder)
	// Output:
	// ../../testdata/models/tiny-immich: immich, 32 dimensions
	//   texts     textual/model.onnx (1.0 MB)
	//             in  text int32 [1, 77]
	//             out embedding float32 [1, 32]
	//   pictures  visual/model.onnx (1.2 MB)
	//             in  image float32 [1, 3, 224, 224]
	//             out embedding float32 [1, 32]
	//   told      tokenizer.json says how texts become tokens
	//   told      preprocess_cfg.json says that pictures become 224 x 224
}
