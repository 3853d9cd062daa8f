package app

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/waybill-dev/waybill/configs"
	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/auth"
	"github.com/waybill-dev/waybill/node/auth/remote"
)

// OpenAccounts returns the accounts of the event store that the settings name:
// one that runs, through its connection string, with the rights of whoever is in
// it; or the embedded one, which must be stopped. The latter asks for no
// password, as whoever owns the files needs none: it is the way back in for
// those who have lost it.
func OpenAccounts(cfg configs.Config, logger *slog.Logger) (accounts *auth.Accounts, closeLog func() error, err error) {
	if cfg.EventStore != "" {
		log, err := remote.Open(cfg.EventStore)
		if err != nil {
			return nil, nil, err
		}
		return auth.NewAccounts(log), log.Close, nil
	}
	n, err := node.Open(node.Config{Dir: EventsDir(cfg), Logger: logger, Now: time.Now})
	if locked := (*node.LockedError)(nil); errors.As(err, &locked) {
		return nil, nil, fmt.Errorf("%w; name it with --eventstore esdb://admin:…@host:port, or stop it", err)
	}
	if err != nil {
		return nil, nil, err
	}
	return auth.NewAccounts(auth.OfNode(n)), n.Close, nil
}
