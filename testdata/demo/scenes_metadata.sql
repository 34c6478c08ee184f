-- What a csv knows about the same pictures.
UPDATE scenes
    SET id = m.id, caption = m.caption, subject = m.subject, colour = m.colour,
        count = m.count, place = m.place, action = m.action
    FROM read_csv('testdata/toy-clip/scenes/scenes.csv') AS m
    WHERE m.file = file_name(scenes.path);
