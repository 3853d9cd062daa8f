package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
)

// profile writes to a file where a program spends its processor time from now
// on, as its own profiler at an address tells it: `go tool pprof` reads it.
func profile(ctx context.Context, addr string, length time.Duration, path string) (err error) {
	url := "http://" + addr + "/debug/pprof/profile?seconds=" + strconv.Itoa(int(length.Seconds()))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("profile the platform: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("profile the platform: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("profile the platform: %s", response.Status)
	}
	file, err := os.Create(path) //nolint:gosec // where the caller wants it
	if err != nil {
		return fmt.Errorf("keep the profile: %w", err)
	}
	_, err = io.Copy(file, response.Body)
	return errors.Join(err, file.Close())
}
