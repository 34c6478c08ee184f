package parse

import "testing"

func BenchmarkParse(b *testing.B) {
	for name, src := range map[string]string{
		"search": "SELECT id, clip_sim('a wolf') AS score FROM photos WHERE width > 1000 AND score > 0.25 ORDER BY score LIMIT 3",
		"lookup": "SELECT * FROM photos WHERE id = $1",
		"insert": "INSERT INTO photos (id, width, clip) VALUES (?, ?, ?)",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(src); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
