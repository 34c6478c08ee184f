// Package table is an encoder that knows a fixed list of prompts and their
// vectors. It needs no model and no runtime: a program whose prompts are known
// beforehand ships two files, one prompt a line and one vector a row, made once
// wherever the model is at hand.
package table
