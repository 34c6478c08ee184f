package query_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// frames() feeds image(), is closed to programs that let statements use no files, and says what it takes.
func TestFrames(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in for ffmpeg is a shell script")
	}
	f := open(t)
	bin := t.TempDir()
	video := filepath.Join(bin, "clip.mp4")
	frame := `printf '\211PNG\r\n\032\n\0\0\0\0IEND\0\0\0\0'` // as short as such a file can be
	script := "#!/bin/sh\nfor i in 0 2 4; do echo \"[Parsed_showinfo_1 @ 0] n: $i pts: 1 pts_time:$i \" >&2; " + frame + "; done\n"
	for name, data := range map[string]string{"ffmpeg": script, "clip.mp4": "video"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(data), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	f.run("CREATE TABLE shots (video TEXT, time REAL, clip VECTOR ENCODER 'hash', PRIMARY KEY (video, time))")
	f.run("INSERT INTO shots SELECT 'clip', time, image(frame) FROM frames('" + video + "', every => 2)")
	f.expect("SELECT time, vector_dims(clip) FROM shots ORDER BY time", "0|3", "2|3", "4|3")
	f.expect("SELECT count(*) FROM frames('"+video+"')", "3")
	f.fails("SELECT * FROM frames('"+video+"', evry => 2)", `no option "evry" for frames`)
	f.fails("SELECT * FROM frames('"+video+"', every => 0)", "option EVERY is a number of seconds")
	f.fails("SELECT * FROM frames('"+video+"x')", "no file ")
	f.fails("SELECT * FROM frames()", "frames takes the path of a video")
	f.env.NoFiles = true
	f.fails("SELECT * FROM frames('"+video+"')", "does not let statements use files")
	f.env.NoFiles = false
	t.Setenv("PATH", t.TempDir())
	f.fails("SELECT * FROM frames('"+video+"')", "install it (apt install ffmpeg")
}
