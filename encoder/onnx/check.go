package onnx

// Report says what a model folder is and can do.
type Report struct {
	Dir     string
	Layout  string   // such as "Hugging Face export"; empty when it is no model
	Dim     int      // length of the vectors
	Text    *Tower   // nil when texts can't be encoded
	Image   *Tower   // nil when pictures can't be encoded
	Hash    string   // the identity a vector column remembers; empty when nothing works
	Choices []string // variants that Options.Variant can choose, fp32 as ""
	Missing []string // what keeps the folder from doing more, in plain words
}

// Tower is one half of a model.
type Tower struct {
	Graph  string // path of the .onnx file
	Size   int64  // bytes, with external data
	Input  string // such as "input_ids int64 [batch, sequence]"
	Output string // such as "text_embeds float32 [batch, 512]"
}
