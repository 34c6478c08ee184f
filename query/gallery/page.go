package gallery

import "html/template"

// pageTemplate holds the page's three parts. html/template escapes every value
// for where it stands; the policy in the head keeps scripts out even so.
var pageTemplate = template.Must(template.New("page").Parse(`
{{- define "begin" -}}
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data: http: https:; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>{{.}}</title>
<style>
:root { --ground: #f6f6f4; --card: #ffffff; --ink: #1d1d1b; --soft: #6b6b66; --line: #dfdfda; --frame: #ecece8; --mark: #b4541a; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #161615; --card: #20201e; --ink: #ecece7; --soft: #9a9a92; --line: #34342f; --frame: #111110; --mark: #f0965a; }
}
* { box-sizing: border-box; }
body { margin: 0; padding: 1.5rem; background: var(--ground); color: var(--ink); font: 15px/1.4 system-ui, sans-serif; }
h1 { margin: 0 0 1.2rem; font-size: 1.25rem; font-weight: 600; overflow-wrap: anywhere; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1.1rem; align-items: start; }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; overflow: hidden; }
.frame { display: flex; align-items: center; justify-content: center; height: 12rem; background: var(--frame); color: var(--soft); text-decoration: none; font-size: .85rem; }
.frame img { width: 100%; height: 100%; object-fit: contain; display: block; color: var(--soft); }
figcaption { padding: .6rem .75rem .75rem; }
.head { display: flex; justify-content: space-between; align-items: baseline; gap: .5rem; color: var(--soft); font-size: .85rem; font-variant-numeric: tabular-nums; }
.head b { color: var(--mark); font-weight: 600; }
.bar { height: 3px; margin: .3rem 0 .5rem; background: var(--line); border-radius: 2px; }
.bar i { display: block; height: 100%; background: var(--mark); border-radius: 2px; }
p { margin: .2rem 0 .4rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: auto 1fr; gap: .1rem .6rem; margin: 0; font-size: .82rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.credit { margin: .5rem 0 0; color: var(--soft); font-size: .8rem; }
footer { margin-top: 1.5rem; color: var(--soft); font-size: .8rem; }
@media print { figure { break-inside: avoid; } }
</style>
</head>
<body>
<h1>{{.}}</h1>
<main>
{{end}}

{{- define "picture"}}{{if .Src}}<img src="{{.Src}}" alt="{{.Alt}}" loading="lazy"{{if .Width}} width="{{.Width}}" height="{{.Height}}"{{end}}>{{else}}{{.Missing}}{{end}}{{end}}

{{- define "card" -}}
<figure>
{{if .Link}}<a class="frame" href="{{.Link}}" rel="noopener noreferrer">{{template "picture" .}}</a>{{else}}<div class="frame">{{template "picture" .}}</div>{{end}}
<figcaption>
<div class="head"><span>{{.Rank}}</span>{{if .Score}}<b>{{.Score}}</b>{{end}}</div>
{{- if .Score}}
<div class="bar"><i style="width: {{.Bar}}%"></i></div>
{{- end}}
{{- if .Caption}}
<p dir="auto">{{.Caption}}</p>
{{- end}}
{{- if .Fields}}
<dl>{{range .Fields}}<dt>{{.Name}}</dt><dd dir="auto">{{.Text}}</dd>{{end}}</dl>
{{- end}}
{{- if .Credit}}
<p class="credit" dir="auto">{{.Credit}}</p>
{{- end}}
</figcaption>
</figure>
{{end}}

{{- define "end" -}}
</main>
<footer>{{.}} {{if eq . 1}}picture{{else}}pictures{{end}}</footer>
</body>
</html>
{{end}}`))
