package hub

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

// Models returns the models that Pull knows.
func Models() []Model {
	clip := func(name, about string, graphs ...File) Model {
		return Model{name, about, clipRepo, clipRevision, append(append([]File(nil), clipFiles...), graphs...)}
	}
	return []Model{
		clip("clip-vit-base-patch32", "CLIP ViT-B/32, 512 dimensions, fp32: the best vectors",
			File{"onnx/text_model.onnx", 254058553, "3f6571f5bad13a97c469c1622e1cfc4d9aef78b79fdbfcff804ca357bfada8cc"},
			File{"onnx/vision_model.onnx", 351685709, "fd6e1402a588279d1723c7534d4bcba5bc0b14b47dfab0e46f8c47b8270d7d40"}),
		clip("clip-vit-base-patch32-fp16", "the same at half the size, nearly the same vectors",
			File{"onnx/text_model_fp16.onnx", 127339794, "df587ffbf248bf20d44fa6e16adc5ebc27ead691860e5333dbdaab5fd6bf3f6e"},
			File{"onnx/vision_model_fp16.onnx", 176080659, "35c4e0fb0aeee527dcde1693520b214a34424a786babd530f35366bad5844efd"}),
		clip("clip-vit-base-patch32-quantized", "the same in 8 bits: a quarter of the size, two to three times as quick, rougher vectors",
			File{"onnx/text_model_quantized.onnx", 64504507, "73baab855d406190da9faa498cfedf65f15cf309f4cc7385b7b032e6d08e5c3a"},
			File{"onnx/vision_model_quantized.onnx", 89117001, "583fd1110a514667812fee7d684952aaf82a99b959760c8d7dca7e0ab9839299"}),
	}
}
