package plan

// samplePrompts are phrases like those people search pictures with. Their
// vectors show the codes of a column where queries lie.
var samplePrompts = func() []string {
	things := []string{"dog", "cat", "wolf", "horse", "bird", "fish", "elephant", "butterfly", "child", "woman", "man", "crowd",
		"car", "bicycle", "train", "boat", "airplane", "bridge", "castle", "church", "house", "skyscraper", "street", "market",
		"mountain", "river", "beach", "forest", "desert", "waterfall", "flower", "tree", "mushroom", "field", "sky", "moon",
		"bread", "coffee", "fruit", "cake", "book", "chair", "lamp", "clock", "guitar", "camera", "window", "statue"}
	places := []string{"a photo of a %", "a % in the snow", "a % at night", "a red %"}
	var out []string
	for _, p := range places {
		for _, t := range things {
			for i := range p {
				if p[i] == '%' {
					out = append(out, p[:i]+t+p[i+1:])
					break
				}
			}
		}
	}
	return out
}()
