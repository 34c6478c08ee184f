-- What another csv knows about the same photos, joined by id.
UPDATE photos
    SET caption = m.caption, subject = m.subject, colour = m.colour, count = m.count,
        place = m.place, action = m.action, taken_at = m.taken_at,
        photographer = m.photographer, width = m.width, height = m.height
    FROM read_csv('testdata/toy-clip/corpus/metadata.csv') AS m
    WHERE m.photo_id = photos.id;

VACUUM photos;
