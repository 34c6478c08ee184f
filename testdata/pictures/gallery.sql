.mode gallery title='a dog playing in the snow'
SELECT path, clip_sim('a dog playing in the snow') AS score, caption, subject, place
  FROM scenes ORDER BY score LIMIT 8;
