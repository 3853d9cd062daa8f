package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v3"
)

// compose loads the file as Docker Compose does, and asks more of it: images
// have versions, services are healthy before others start, nothing is open to
// other machines, and what is mounted exists.
func (r *Report) compose(ctx context.Context, file string) {
	options, err := cli.NewProjectOptions([]string{file}, cli.WithOsEnv, cli.WithName("waybill"))
	if err != nil {
		r.mistake(file, "%v", err)
		return
	}
	project, err := options.LoadProject(ctx)
	if err != nil {
		r.mistake(file, "%v", err)
		return
	}
	for name, service := range project.Services {
		r.Services = append(r.Services, name)
		r.service(name, service)
	}
	slices.Sort(r.Services)
	slices.Sort(r.Mounts)
}

func (r *Report) service(name string, s types.ServiceConfig) {
	if _, tag, _ := strings.Cut(s.Image, ":"); s.Build == nil && (tag == "" || tag == "latest") {
		r.mistake(name, "the image %q has no version", s.Image)
	}
	if s.HealthCheck == nil {
		r.mistake(name, "has no healthcheck")
	}
	if s.Restart == "" {
		r.mistake(name, "does not say when it is started again")
	}
	if s.Privileged || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
		r.mistake(name, "may get more rights than it has")
	}
	for _, port := range s.Ports {
		if port.HostIP != "127.0.0.1" {
			r.mistake(name, "port %d is open to other machines", port.Target)
		}
	}
	for _, mount := range s.Volumes {
		if mount.Type != types.VolumeTypeBind {
			continue
		}
		if _, err := os.Stat(mount.Source); err != nil || !mount.ReadOnly {
			r.mistake(name, "mounts %s, which must exist and be read-only: %v", mount.Source, err)
		}
		r.Mounts = append(r.Mounts, filepath.Base(mount.Source))
	}
	for other, how := range s.DependsOn {
		if how.Condition != types.ServiceConditionHealthy {
			r.mistake(name, "does not wait until %s is healthy", other)
		}
	}
}

// scraped is what matters of Prometheus's own settings.
type scraped struct {
	RuleFiles     []string `yaml:"rule_files"`
	ScrapeConfigs []struct {
		JobName       string `yaml:"job_name"`
		StaticConfigs []struct {
			Targets []string `yaml:"targets"`
		} `yaml:"static_configs"`
	} `yaml:"scrape_configs"`
}

// prometheus makes sure that what is scraped is among the services.
func (r *Report) prometheus(file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		r.mistake(file, "%v", err)
		return
	}
	var s scraped
	if err := yaml.Unmarshal(text, &s); err != nil || len(s.RuleFiles) == 0 || len(s.ScrapeConfigs) == 0 {
		r.mistake(file, "needs rule_files and scrape_configs: %v", err)
	}
	for _, job := range s.ScrapeConfigs {
		for _, config := range job.StaticConfigs {
			for _, target := range config.Targets {
				if host, _, _ := strings.Cut(target, ":"); !slices.Contains(r.Services, host) {
					r.mistake(file, "%s scrapes %s, which is no service", job.JobName, target)
				}
			}
		}
	}
}
