package app

import (
	"fmt"
	"os"

	"github.com/waybill-dev/waybill/handlers/effects/receipt"
	"github.com/waybill-dev/waybill/handlers/effects/shop"
)

// shop is who sells.
func (a *App) shop() shop.Config {
	cfg := a.cfg.Shop
	languages := map[string]shop.Language{}
	for _, country := range cfg.German {
		languages[country] = shop.German
	}
	return shop.Config{
		Name: cfg.Name, Address: cfg.Address, TaxID: cfg.TaxID, Email: cfg.Email, URL: cfg.URL, OrderURL: cfg.OrderURL,
		Language: shop.Language(cfg.Language), Languages: languages,
	}
}

// newDocuments makes what draws receipts and packing slips.
func (a *App) newDocuments() (*receipt.Service, error) {
	cfg := receipt.Config{Shop: a.shop()}
	for path, into := range map[string]*[]byte{a.cfg.Shop.Font: &cfg.Font, a.cfg.Shop.BoldFont: &cfg.BoldFont} {
		if path == "" {
			continue
		}
		font, err := os.ReadFile(path) //nolint:gosec // a path of the operator's
		if err != nil {
			return nil, fmt.Errorf("read the font of documents: %w; name another file with --shop-font", err)
		}
		*into = font
	}
	return &receipt.Service{Store: a.store, Vault: a.vault, Config: cfg}, nil
}
