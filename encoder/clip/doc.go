// Package clip holds what a CLIP-like model needs around its two networks, in
// pure Go: the tokenizer, which turns a text into token ids, and the image
// pipeline, which turns an encoded picture into the normalised pixels of a
// fixed square.
//
// Both give what the reference implementations give (the Hugging Face
// tokenizer and image processor on top of Pillow): token ids are equal, and so are
// pixels, to the bit. Preprocessor.File may be asked to be fast instead: it decodes
// large JPEG files at reduced size.
//
//	tok, err := clip.LoadTokenizer(dir)
//	ids := tok.Encode("a wolf") // [49406 320 5916 49407]
//
//	pre, err := clip.LoadPreprocessor(dir)
//	img, err := clip.Decode(data, nil)
//	pixels := pre.Pixels(img) // 3 x 224 x 224
package clip
