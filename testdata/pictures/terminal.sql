SELECT path, clip_sim('two red fish') AS score
  FROM scenes ORDER BY score LIMIT 4;
SELECT place, count(*) AS photos, max(clip_sim('a castle in the sky')) AS best
  FROM photos GROUP BY place ORDER BY best DESC LIMIT 3;
