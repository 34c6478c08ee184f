package render

// Modes returns every output mode, in the order .help shows them.
func Modes() []Mode {
	return []Mode{
		{"box", "a table drawn with lines (on a terminal the default)", true, newBox},
		{"table", "the same in plain ASCII (elsewhere the default)", true, newTable},
		{"markdown", "a Markdown table", true, newMarkdown},
		{"line", "one value a line, a blank line between rows", true, newLine},
		{"csv", "comma-separated, NULL empty and the empty text quoted", false, newCSV},
		{"tsv", `as csv, with tabs`, false, newTSV},
		{"json", "one array of objects", false, newJSON},
		{"jsonl", "one object a line", false, newJSONLines},
		{"html", "an HTML table", false, newHTML},
		{"gallery", "an HTML page of pictures with their scores and columns", false, newGallery},
		{"quiet", "nothing: the statement runs and its rows are dropped", false, newQuiet},
	}
}
