-- The image encoder looks at every picture of the directory.
INSERT INTO scenes (path, clip, width, height)
    SELECT path, image(path), width, height FROM images('testdata/toy-clip/scenes/*')
    ON CONFLICT (path) DO NOTHING;
