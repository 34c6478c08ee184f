package clip_test

import (
	"fmt"
	"log"
	"os"

	"github.com/lupadb/lupa/encoder/clip"
)

func ExampleTokenizer() {
	tok, err := clip.LoadTokenizer("../../testdata/models/tiny-clip")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tok.Encode("A wolf"))
	fmt.Println(tok.Encode("a  wolf\n"))
	// Output:
	// [2046 320 836 2047]
	// [2046 320 836 2047]
}

func ExampleDecode() {
	const dir = "../../testdata/models/tiny-clip"
	data, err := os.ReadFile(dir + "/images/exif-6.jpg") // lies on its side
	if err != nil {
		log.Fatal(err)
	}
	picture, err := clip.Decode(data, 0)
	if err != nil {
		log.Fatal(err)
	}
	pre, err := clip.LoadPreprocessor(dir)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(picture.Width, "x", picture.Height)
	fmt.Println(len(pre.Pixels(picture)) == 3*224*224)
	// Output:
	// 270 x 360
	// true
}

func ExampleInspect() {
	data, err := os.ReadFile("../../testdata/models/tiny-clip/images/scene.webp")
	if err != nil {
		log.Fatal(err)
	}
	info, err := clip.Inspect(data)
	fmt.Println(info, err)

	_, err = clip.Inspect([]byte("8BPS"))
	fmt.Println(err)
	// Output:
	// webp, 480 x 360 <nil>
	// unsupported format PSD (jpg, png, webp, gif, bmp, pnm and tiff are supported)
}
