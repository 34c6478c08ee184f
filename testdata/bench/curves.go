package main

import (
	"flag"
	"fmt"
	"math"
	"strings"
)

var curvesFile = flag.String("curves", "", "with -approx, where to write a picture of recall and processor time (SVG)")

// curve is how recall and time of one index go together.
type curve struct {
	name   string
	points []point
}

// point is what searches with one setting found, and the processor time of one in ms.
type point struct {
	at          string
	recall, cpu float64
}

// curvesCaption says what was measured.
func curvesCaption(prompts, dim, calibrated int, peers bool) []string {
	made := fmt.Sprintf("%d x %d: rows of real CLIP vectors with noise. %d real CLIP text prompts, one at a time, k = %d.", *rowsFlag, dim, prompts, *k)
	known := fmt.Sprintf("The index was calibrated with %d other prompts. Means over the prompts; the exact search finds all, by definition.", calibrated)
	caption := []string{made, known}
	if peers {
		caption = append(caption, "Faiss through its Python package, recall beside its own exact answers.")
	}
	return caption
}

// drawCurves returns a picture of curves: recall to the right, processor time up, each of whose
// lines is ten times the one before. The exact search is a broken line.
func drawCurves(curves []curve, exact float64, caption []string) string {
	const width, height, left, right, top, bottom = 900.0, 600.0, 80.0, 40.0, 50.0, 130.0
	colours := []string{"#2b6cb0", "#b06f15", "#3d7f4f", "#8a3b8f"}
	least, low, high := 1.0, exact, exact
	for _, c := range curves {
		for _, p := range c.points {
			least, low, high = min(least, p.recall), min(low, p.cpu), max(high, p.cpu)
		}
	}
	least = math.Floor(float64(least*20)) / 20
	from, to := math.Floor(math.Log10(low)), math.Ceil(math.Log10(high))
	px := func(recall float64) float64 { return left + (recall-least)/(1-least)*(width-left-right) }
	py := func(ms float64) float64 {
		return height - bottom - (math.Log10(ms)-from)/(to-from)*(height-top-bottom)
	}
	var s strings.Builder
	fmt.Fprintf(&s, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" font-family=\"sans-serif\" font-size=\"15\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n", width, height)
	line := func(x1, y1, x2, y2 float64, style string) {
		fmt.Fprintf(&s, "<path d=\"M%.1f %.1fL%.1f %.1f\" %s/>\n", x1, y1, x2, y2, style)
	}
	text := func(x, y float64, style, words string) {
		fmt.Fprintf(&s, "<text x=\"%.1f\" y=\"%.1f\" %s>%s</text>\n", x, y, style, words)
	}
	for e := from; e <= to; e++ {
		ms := math.Pow(10, e)
		line(left, py(ms), width-right, py(ms), `stroke="#ddd"`)
		text(left-8, py(ms)+5, `fill="#333" text-anchor="end"`, fmt.Sprintf("%g ms", ms))
	}
	step := 0.05
	if least < 0.7 {
		step = 0.1
	}
	for i := range int(math.Floor((1-least)/step+1e-9)) + 1 {
		r := 1 - float64(float64(i)*step)
		line(px(r), py(math.Pow(10, from)), px(r), py(math.Pow(10, to)), `stroke="#eee"`)
		text(px(r), height-bottom+20, `fill="#333" text-anchor="middle"`, fmt.Sprintf("%.2f", r))
	}
	line(left, py(exact), width-right, py(exact), `stroke="#333" stroke-dasharray="6 4"`)
	text(left+8, py(exact)-6, `fill="#333"`, fmt.Sprintf("exact search: %.1f ms", exact))
	for k, c := range curves {
		colour := colours[k%len(colours)]
		var path strings.Builder
		for i, p := range c.points {
			fmt.Fprintf(&path, "%c%.1f %.1f", "ML"[min(i, 1)], px(p.recall), py(p.cpu))
		}
		fmt.Fprintf(&s, "<path d=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2.5\"/>\n", path.String(), colour)
		for _, p := range c.points {
			fmt.Fprintf(&s, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\"><title>%s: %.4f found, %.2f ms</title></circle>\n", px(p.recall), py(p.cpu), colour, p.at, p.recall, p.cpu)
		}
		first, last := c.points[0], c.points[len(c.points)-1]
		text(left+float64(float64(k)*(width-left-right)/float64(len(curves))), 30, fmt.Sprintf("fill=%q", colour), fmt.Sprintf("%s, %s to %s", c.name, first.at, last.at))
	}
	text((left+width-right)/2, height-bottom+44, `fill="#333" text-anchor="middle"`, "part of the nearest rows that was found; up: processor time of a search")
	for i, words := range caption {
		text(left, height-bottom+74+float64(20*float64(i)), `fill="#333" font-size="13"`, words)
	}
	s.WriteString("</svg>\n")
	return s.String()
}
