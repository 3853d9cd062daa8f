package main

import (
	"os"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// dockerfile reads the file as BuildKit does, with its linter, and asks more of
// it: base images have versions, and the program does not run as root.
func (r *Report) dockerfile(file string) {
	text, err := os.Open(file)
	if err != nil {
		r.mistake(file, "%v", err)
		return
	}
	defer func() { _ = text.Close() }()
	parsed, err := parser.Parse(text)
	if err != nil {
		r.mistake(file, "%v", err)
		return
	}
	for _, warning := range parsed.Warnings {
		r.mistake(file, "%s", warning.Short)
	}
	stages, _, err := instructions.Parse(parsed.AST, linter.New(&linter.Config{
		Warn: func(rule, _, _, message string, _ []parser.Range) { r.mistake(file, "%s: %s", rule, message) },
	}))
	if err != nil {
		r.mistake(file, "%v", err)
		return
	}
	for _, stage := range stages {
		if _, tag, ok := strings.Cut(stage.BaseName, ":"); stage.BaseName != "scratch" && (!ok || tag == "latest") {
			r.mistake(file, "the base image %q has no version", stage.BaseName)
		}
	}
	user := ""
	for _, command := range stages[len(stages)-1].Commands {
		if as, ok := command.(*instructions.UserCommand); ok {
			user = as.User
		}
	}
	if user == "" || user == "root" || user == "0" {
		r.mistake(file, "the program runs as root")
	}
}
