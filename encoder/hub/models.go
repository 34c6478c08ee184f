package hub

import (
	"slices"

	"github.com/lupadb/lupa/encoder"
)

// Xenova/clip-vit-base-patch32: OpenAI's CLIP ViT-B/32 as ONNX graphs.
const (
	clipRepo     = "Xenova/clip-vit-base-patch32"
	clipRevision = "d15189d7028b43f1d3e65039190477f6af591c2a"
)

// clipFiles are those that all variants share.
var clipFiles = []File{
	{"config.json", 4524, "493ef57ff783e42d1530c91b53469b7fdf8db8a9c1408e86998fcb7899a4f495"},
	{"preprocessor_config.json", 520, "6f638fb9401a6d6296feff533ee7efe657b787c49f954f82f5906b36ef2a1b1f"},
	{"tokenizer.json", 2224119, "f7f3b7af117d467b58374797691a6438d3e6b9e9cef800dfd5dced7f697a90cd"},
	{"tokenizer_config.json", 775, "60ba2912bc6344c94bc16bbdec27fa1209409167b6f2fdf3cfe9e65462ea3967"},
}

// Where figures come from.
const (
	immichRecall = "recall of pictures for English captions of Crossmodal-3600 (mean of 1, 5 and 10 answers), immich's documentation, features/searching"
	mtebEnglish  = "average of the 56 English tasks of MTEB, model card of BAAI/bge-small-en-v1.5"
)

// catalog are the models of which not all files are known: what the hub lists when one is
// first pulled is fetched and recorded, and counts from then on. Where a revision and sums
// stand here they are those that several projects that pin the same model have published, and
// other contents are refused; that of MiniLM was compared with the table of
// FlagEmbedding's README, that of bge with copies of its model card's, those of CLIP with immich's
// searching.md.
var catalog = []Model{
	{Name: encoder.RecommendedPictures, Repo: "immich-app/ViT-B-16-SigLIP2__webli", About: "SigLIP 2 B/16: pictures and texts, the best for its size",
		Card: Card{Pictures: true, Texts: true, Dim: 768, Bytes: 1500e6, License: "Apache-2.0", Languages: "English and many others", Quality: 75.19, Source: immichRecall}},
	{Name: "siglip2-so400m-patch16-384", Repo: "immich-app/ViT-SO400M-16-SigLIP2-384__webli", About: "SigLIP 2 so400m: pictures and texts in many languages, large",
		Card: Card{Pictures: true, Texts: true, Dim: 1152, Bytes: 4500e6, License: "Apache-2.0", Languages: "English and many others", Quality: 75.09, Source: immichRecall}},
	{Name: "clip-vit-b-32-laion2b", Repo: "immich-app/ViT-B-32__laion2b-s34b-b79k", About: "OpenCLIP ViT-B/32 of LAION-2B: as quick as OpenAI's, and better",
		Card: Card{Pictures: true, Texts: true, Dim: 512, Bytes: 605e6, License: "MIT", Languages: "English", Quality: 68.78, Source: immichRecall}},
	{Name: "clip-xlm-roberta-base-laion5b", Repo: "immich-app/XLM-Roberta-Base-ViT-B-32__laion5b_s13b_b90k", About: "OpenCLIP ViT-B/32 with XLM-R: pictures, and texts in a hundred languages",
		Card: Card{Pictures: true, Texts: true, Dim: 512, Bytes: 1500e6, License: "MIT", Languages: "about 100", Quality: 68.33, Source: immichRecall}},
	{Name: "mobileclip2-s2", Repo: "plhery/mobileclip2-onnx", Revision: "ba95759a5bdbaca53e9111e2550a76ec09c8fd9e", folder: "onnx/s2",
		sums: map[string]string{
			"onnx/s2/text_model.onnx":   "622f10372bca71b5017f2efc5f8c2886610a2592b636de8984d717f03213f031",
			"onnx/s2/vision_model.onnx": "a841f72c5a5085748bbe271a1d5718aba877822a15cba865bdbd0d37036b849e",
		}, About: "MobileCLIP2 S2: pictures and texts, small and quick",
		Card: Card{Pictures: true, Texts: true, Dim: 512, Bytes: 399e6, License: "Apple AMLR (research)", Languages: "English", Quality: 64.1, Source: "average of 38 data sets without training, model card of apple/MobileCLIP2-B"}},
	{Name: "clip-vit-base-patch16", Repo: "Xenova/clip-vit-base-patch16", About: "OpenAI's CLIP ViT-B/16",
		sums: map[string]string{
			"onnx/text_model.onnx":   "19f40c7988af119fc50dabfe8015da8595c0372000e2c1f1a6289e35930577aa",
			"onnx/vision_model.onnx": "b5170b47c0ecc667c9af5b42ed460c341377706d1466d177798c65fe49ea1e6b",
		},
		Card: Card{Pictures: true, Texts: true, Dim: 512, Bytes: 600e6, License: "MIT", Languages: "English", Quality: 58.27, Source: immichRecall}},
	{Name: "clip-vit-large-patch14", Repo: "Xenova/clip-vit-large-patch14", About: "OpenAI's CLIP ViT-L/14",
		Card: Card{Pictures: true, Texts: true, Dim: 768, Bytes: 1700e6, License: "MIT", Languages: "English", Quality: 60.12, Source: immichRecall}},
	{Name: encoder.RecommendedTexts, Repo: "BAAI/bge-small-en-v1.5", Revision: "5c38ec7c405ec4b44b94cc5a9bb96e735b38267a", About: "bge-small: English texts, small and quick",
		sums: map[string]string{
			"onnx/model.onnx": "828e1496d7fabb79cfa4dcd84fa38625c0d3d21da474a00f08db0f559940cf35",
			"tokenizer.json":  "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66",
		},
		Card: Card{Texts: true, Dim: 384, Bytes: 134e6, License: "MIT", Languages: "English", Quality: 62.17, Source: mtebEnglish}},
	{Name: "all-MiniLM-L6-v2", Repo: "sentence-transformers/all-MiniLM-L6-v2", Revision: "1110a243fdf4706b3f48f1d95db1a4f5529b4d41", About: "MiniLM: English sentences, the smallest",
		sums: map[string]string{
			"onnx/model.onnx": "6fd5d72fe4589f189f8ebc006442dbb529bb7ce38f8082112682524616046452",
			"tokenizer.json":  "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
		},
		Card: Card{Texts: true, Dim: 384, Bytes: 91e6, License: "Apache-2.0", Languages: "English", Quality: 56.26, Source: mtebEnglish}},
	{Name: "multilingual-e5-small", Repo: "intfloat/multilingual-e5-small", Revision: "614241f622f53c4eeff9890bdc4f31cfecc418b3",
		sums: map[string]string{"onnx/model.onnx": "ca456c06b3a9505ddfd9131408916dd79290368331e7d76bb621f1cba6bc8665"}, About: "multilingual E5: texts in a hundred languages; write QUERY 'query: ' DOCUMENT 'passage: ' behind its name",
		Card: Card{Texts: true, Dim: 384, Bytes: 490e6, License: "MIT", Languages: "about 100"}},
	{Name: "embeddinggemma-300m", Repo: "onnx-community/embeddinggemma-300m-ONNX", Revision: "5090578d9565bb06545b4552f76e6bc2c93e4a66", About: "EmbeddingGemma: long texts in a hundred languages; DIMENSIONS 512, 256 or 128",
		Card: Card{Texts: true, Dim: 768, Bytes: 1260e6, License: "Gemma Terms of Use", Languages: "more than 100"}},
}

// Models returns the models that Pull knows.
func Models() []Model {
	card := Card{Pictures: true, Texts: true, Dim: 512, License: "MIT", Languages: "English", Quality: 59.37, Source: immichRecall}
	clip := func(name, about string, graphs ...File) Model {
		m := Model{Name: name, About: about, Repo: clipRepo, Revision: clipRevision, Files: append(append([]File(nil), clipFiles...), graphs...), Card: card}
		if name != "clip-vit-base-patch32" {
			m.Card.Quality, m.Card.Source = 0, "" // measured with fp32
		}
		m.Card.Bytes = m.Size()
		return m
	}
	return append(slices.Clone(catalog), []Model{
		clip("clip-vit-base-patch32", "OpenAI's CLIP ViT-B/32",
			File{"onnx/text_model.onnx", 254058553, "3f6571f5bad13a97c469c1622e1cfc4d9aef78b79fdbfcff804ca357bfada8cc"},
			File{"onnx/vision_model.onnx", 351685709, "fd6e1402a588279d1723c7534d4bcba5bc0b14b47dfab0e46f8c47b8270d7d40"}),
		clip("clip-vit-base-patch32-fp16", "the same at half the size, nearly the same vectors",
			File{"onnx/text_model_fp16.onnx", 127339794, "df587ffbf248bf20d44fa6e16adc5ebc27ead691860e5333dbdaab5fd6bf3f6e"},
			File{"onnx/vision_model_fp16.onnx", 176080659, "35c4e0fb0aeee527dcde1693520b214a34424a786babd530f35366bad5844efd"}),
		clip("clip-vit-base-patch32-quantized", "the same in 8 bits: a quarter of the size, two to three times as quick, rougher vectors",
			File{"onnx/text_model_quantized.onnx", 64504507, "73baab855d406190da9faa498cfedf65f15cf309f4cc7385b7b032e6d08e5c3a"},
			File{"onnx/vision_model_quantized.onnx", 89117001, "583fd1110a514667812fee7d684952aaf82a99b959760c8d7dca7e0ab9839299"}),
	}...)
}
