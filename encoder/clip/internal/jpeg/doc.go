// Package jpeg decodes JPEG files to planes of samples: baseline, extended and
// progressive files of 8 bits with Huffman codes, as ITU-T T.81 has them.
//
// It is there because neither the standard library nor any other library in
// pure Go decodes at reduced size, and because it is to give what libjpeg gives,
// from whose pixels models have learned: the samples are equal to the bit to
// those of its accurate integer transform.
package jpeg
