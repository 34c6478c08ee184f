package hint

import "testing"

func TestNearest(t *testing.T) {
	names := []string{"width", "height", "caption", "id", "taken_at"}
	for _, c := range []struct{ name, want string }{
		{"widht", "width"}, {"WIDTH", "width"}, {"hieght", "height"}, {"captoin", "caption"},
		{"di", "id"}, {"taken", ""}, {"taken_t", "taken_at"}, {"colour", ""}, {"", ""},
	} {
		if got := Nearest(c.name, names); got != c.want {
			t.Errorf("Nearest(%q) = %q, want %q", c.name, got, c.want)
		}
	}
	if got := DidYouMean("widht", names); got != ` (did you mean "width"?)` {
		t.Error(got)
	}
}
