// Package tokenizer turns texts into token ids as the tokenizer.json of a model says,
// or the vocab.txt of a BERT, or SentencePiece's own model file: SentencePiece's Unigram
// (SigLIP, multilingual E5) and BPE
// with byte fallback (Gemma's, of SigLIP 2 and EmbeddingGemma), byte-level BPE (RoBERTa's)
// and WordPiece (BERT's, of bge, e5, gte, MiniLM). Ids are those of the reference
// implementations, Hugging Face's tokenizers and SentencePiece. CLIP's own tokenizer is in package clip.
//
//	tok, err := tokenizer.Load(dir)
//	ids := tok.Append(nil, "a wolf", 64)
package tokenizer
