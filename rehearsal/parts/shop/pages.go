package main

import (
	"fmt"
	"html/template"
	"strings"
)

// The pages say nothing of the site, the time or the process, so that both sides' bodies can be compared.
var pages = template.Must(template.New("").Funcs(template.FuncMap{"kr": kroner}).Parse(`
{{define "head"}}<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{.}} - Fjordshop</title>
<link rel="icon" href="data:,"><style>body{font-family:sans-serif;max-width:60em;margin:auto}li{margin:.4em 0}</style></head>
<body><header><a href="/">Fjordshop</a> <form action="/search"><input name="q" aria-label="Search"><button>Search</button></form></header>
<main><h1>{{.}}</h1>
{{end}}
{{define "foot"}}</main><footer>Wool, wood and weatherproof things.</footer></body></html>
{{end}}
{{define "list"}}<ul>{{range .}}
<li><a href="/product/{{.ID}}"><img src="/media/{{.MediaKey}}" width="48" height="48" alt="" loading="lazy"> {{.Name}}</a> <b>{{kr .PriceOre}}</b> <small>{{.Category}}</small></li>{{end}}
</ul>
{{end}}
{{define "front"}}{{template "head" "Welcome"}}{{template "list" .}}{{template "foot"}}{{end}}
{{define "search"}}{{template "head" "Search"}}<p>{{len .Products}} for <q>{{.Query}}</q></p>{{template "list" .Products}}{{template "foot"}}{{end}}
{{define "product"}}{{template "head" .Name}}<img src="/media/{{.MediaKey}}" width="320" height="320" alt="">
<p>{{.Description}}</p><p><b>{{kr .PriceOre}}</b>, {{.Stock}} in stock, in {{.Category}}</p>
<form method="post" action="/cart"><input type="hidden" name="product" value="{{.ID}}"><input name="quantity" value="1"><button>Add</button></form>
{{template "foot"}}{{end}}
{{define "cart"}}{{template "head" "Cart"}}<table>{{range .Lines}}
<tr><td><a href="/product/{{.Product}}">{{.Name}}</a></td><td>{{.Quantity}}</td><td>{{kr .PriceOre}}</td></tr>{{end}}
</table><p>Sum <b>{{kr .SumOre}}</b></p>{{template "foot"}}{{end}}
`))

func kroner(ore int64) string { return fmt.Sprintf("%d,%02d kr", ore/100, ore%100) }

// likePattern is the LIKE pattern that matches a text anywhere, its own wildcards taken literally.
func likePattern(text string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
}
