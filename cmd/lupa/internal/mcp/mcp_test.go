package mcp

import (
	"bufio"
	"bytes"
	"encoding/json"
	"image"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/web"
	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/examples/ngram"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// connected is a client of the SDK's, connected to a server over a small store.
func connected(t *testing.T) *mcp.ClientSession {
	ctx := t.Context()
	store, err := db.Open(":memory:", &db.Options{Encoders: []encoder.Encoder{ngram.New("ngram", 256)}})
	check(t, err)
	t.Cleanup(func() { check(t, store.Close()) })
	path := filepath.Join(t.TempDir(), "wolf.jpg")
	var b bytes.Buffer
	check(t, jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 640, 480)), nil))
	check(t, os.WriteFile(path, b.Bytes(), 0o600))
	_, err = store.Exec(ctx, `CREATE TABLE photos (id INTEGER PRIMARY KEY, path TEXT, caption TEXT, emb VECTOR ENCODER 'ngram');
		INSERT INTO photos VALUES (1, $1, 'a wolf in the snow', 'a wolf in the snow'), (2, NULL, 'a red boat', 'a red boat'), (3, NULL, 'a wolf in snow', 'a wolf in snow')`, path)
	check(t, err)
	h, err := web.New(store, &web.Options{Statements: true})
	check(t, err)
	there, here := mcp.NewInMemoryTransports()
	s, err := NewServer(h, "test").Connect(ctx, there, nil)
	check(t, err)
	t.Cleanup(func() { s.Wait() })
	c, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(ctx, here, nil)
	check(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

func call(t *testing.T, c *mcp.ClientSession, tool string, args map[string]any) *mcp.CallToolResult {
	t.Helper()
	r, err := c.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
	check(t, err)
	return r
}

func said(r *mcp.CallToolResult) string { return r.Content[0].(*mcp.TextContent).Text }

func TestTools(t *testing.T) {
	c := connected(t)
	tools, err := c.ListTools(t.Context(), nil)
	check(t, err)
	var names []string
	for _, tool := range tools.Tools {
		names = append(names, tool.Name)
		if tool.Annotations == nil || !tool.Annotations.ReadOnlyHint || tool.Description == "" {
			t.Errorf("%s: %+v", tool.Name, tool.Annotations)
		}
	}
	if got := strings.Join(names, " "); got != "describe query search similar" {
		t.Errorf("tools %s", got)
	}
	for _, x := range []struct {
		tool  string
		args  map[string]any
		first float64 // id of the first row
		in    string
	}{
		{"search", map[string]any{"phrase": "a wolf in the snow"}, 1, "emb_sim('a wolf in the snow')"},
		{"search", map[string]any{"phrase": "wolf", "least": map[string]any{"id": "2"}}, 3, "id >= 2"},
		{"search", map[string]any{"phrase": "boat", "equal": map[string]any{"caption": []string{"a wolf in snow"}}}, 3, ""},
		{"similar", map[string]any{"like": []string{"1"}}, 3, "id <> 1"},
		{"query", map[string]any{"sql": "SELECT id, caption FROM photos WHERE caption LIKE '%boat%';"}, 2, ""},
	} {
		r := call(t, c, x.tool, x.args)
		var a struct {
			Statement string
			Rows      []map[string]any
		}
		if r.IsError || json.Unmarshal([]byte(said(r)), &a) != nil || len(a.Rows) == 0 || a.Rows[0]["id"] != x.first || !strings.Contains(a.Statement, x.in) {
			t.Errorf("%s %v: %s", x.tool, x.args, said(r))
		}
	}
	r := call(t, c, "search", map[string]any{"phrase": "a wolf in the snow", "k": 1, "pictures": true})
	if len(r.Content) != 3 {
		t.Fatalf("%d contents, want the rows, the picture's name and the picture", len(r.Content))
	}
	m, err := jpeg.DecodeConfig(bytes.NewReader(r.Content[2].(*mcp.ImageContent).Data))
	if err != nil || m.Width != 320 {
		t.Errorf("picture of %d pixels: %v", m.Width, err)
	}
	if r := call(t, c, "describe", nil); !strings.Contains(said(r), `"encoder":"ngram"`) {
		t.Errorf("describe: %s", said(r))
	}
}

// Errors tell an assistant how to write it right; nothing is written.
func TestErrorsTeach(t *testing.T) {
	c := connected(t)
	for _, x := range []struct {
		tool string
		args map[string]any
		want []string
	}{
		{"query", map[string]any{"sql": "SELECT capton FROM photos"}, []string{"SELECT capton FROM photos\n       ^", `"caption"`}},
		{"query", map[string]any{"sql": "DELETE FROM photos"}, []string{"read-only"}},
		{"search", map[string]any{"phrase": " "}, []string{"phrase is empty"}},
		{"search", map[string]any{"phrase": "x", "table": "phots"}, []string{"phots"}},
		{"search", map[string]any{"phrase": "x", "equal": map[string]any{"colour": []string{"red"}}}, []string{`no column "colour"`}},
		{"similar", map[string]any{"like": []string{}}, []string{"like is empty"}},
		{"similar", map[string]any{"like": []string{"wolf"}}, []string{"id"}},
	} {
		r := call(t, c, x.tool, x.args)
		for _, w := range x.want {
			if !r.IsError || !strings.Contains(said(r), w) {
				t.Errorf("%s %v: %s, want %q", x.tool, x.args, said(r), w)
			}
		}
	}
	if r := call(t, c, "query", map[string]any{"sql": "SELECT count(*) AS n FROM photos"}); !strings.Contains(said(r), `"n":3`) {
		t.Error(said(r))
	}
}

func TestResources(t *testing.T) {
	c := connected(t)
	list, err := c.ListResources(t.Context(), nil)
	check(t, err)
	if len(list.Resources) != 1 || list.Resources[0].URI != "lupa://table/photos" {
		t.Fatalf("resources %+v", list.Resources)
	}
	r, err := c.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "lupa://table/photos"})
	check(t, err)
	if !strings.Contains(r.Contents[0].Text, `"first_rows"`) || !strings.Contains(r.Contents[0].Text, "a red boat") {
		t.Error(r.Contents[0].Text)
	}
	if _, err := c.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "lupa://table/nothere"}); err == nil {
		t.Error("a table that is not there has been read")
	}
}

// Over streams the server ends when its input does.
func TestServeEnds(t *testing.T) {
	store, err := db.Open(":memory:", nil)
	check(t, err)
	defer store.Close()
	h, err := web.New(store, nil)
	check(t, err)
	in, ask := io.Pipe()
	answers, out := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- Serve(t.Context(), h, "test", in, out) }()
	_, err = io.WriteString(ask, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`+"\n")
	check(t, err)
	line, err := bufio.NewReader(answers).ReadString('\n')
	check(t, err)
	if !strings.Contains(line, `"serverInfo":{"name":"lupa"`) {
		t.Errorf("answered %s", line)
	}
	check(t, ask.Close())
	check(t, <-done)
}
