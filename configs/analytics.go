package configs

import "time"

// Analytics is the export of events to files.
type Analytics struct {
	Dir   string        `name:"dir" env:"DIR" type:"path" help:"Folder that every business event is written to, as Parquet files by day; empty writes none. One process writes; with several, all have the same folder."`
	Every time.Duration `name:"every" env:"EVERY" default:"5m" help:"How long after its first event a file is ended, at the latest."`
}
