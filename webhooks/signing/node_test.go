package signing_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/webhooks/signing"
)

const verifyInNode = `
const { Webhook } = require("standardwebhooks");
const crypto = require("crypto");
const m = JSON.parse(require("fs").readFileSync("message.json", "utf8"));
const verifier = new Webhook(m.secret);
verifier.verify(m.body, m.headers);
let refused = false;
try { verifier.verify(m.body + " ", m.headers); } catch { refused = true; }
if (!refused) throw new Error("other bytes were accepted");
// The library knows v1 only; v1a is verified by what Node itself brings.
const raw = Buffer.from(m.publicKey.slice("whpk_".length), "base64");
const key = crypto.createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x: raw.toString("base64url") } });
const mine = m.headers["webhook-signature"].split(" ").find((s) => s.startsWith("v1a,")).slice(4);
const content = m.headers["webhook-id"] + "." + m.headers["webhook-timestamp"] + "." + m.body;
if (!crypto.verify(null, Buffer.from(content), key, Buffer.from(mine, "base64"))) throw new Error("v1a is not verified");
if (crypto.verify(null, Buffer.from(content + " "), key, Buffer.from(mine, "base64"))) throw new Error("v1a accepts other bytes");
console.log("verified");
`

// A second implementation, by other people in another language, must accept
// what we sign.
func TestNodeLibraryVerifies(t *testing.T) {
	t.Parallel()
	dir := nodeWith(t, "standardwebhooks@1.1.1")
	s := secret(t)
	at := time.Now() //nolint:forbidigo // the library compares with the real time
	body := `{"type":"order.placed","data":{"title":"Tasse „blau“ ☕"}}`
	k := key(t, "tenant acme")
	signer := signing.Signer{
		Secrets: []signing.LiveSecret{{Secret: secretOf(t, 9)}, {Secret: s}}, Keys: []signing.LiveKey{{Key: k}},
	}
	const id = "0b9e6a3c-8d7a-5b1e-9f00-1234567890ab"
	headers := map[string]string{
		signing.HeaderID: id, signing.HeaderTimestamp: strconv.FormatInt(at.Unix(), 10), signing.HeaderSignature: signer.Sign(id, at, []byte(body)),
	}
	message, err := json.Marshal(map[string]any{"secret": s.Text(), "publicKey": k.Public(), "body": body, "headers": headers})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"message.json": message, "verify.cjs": []byte(verifyInNode)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	verify := exec.CommandContext(t.Context(), "node", "verify.cjs")
	verify.Dir = dir
	if out, err := verify.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// nodeWith returns a folder with an npm package installed, or skips.
func nodeWith(t *testing.T, pkg string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("skipping the npm verifier: -short")
	}
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("skipping the npm verifier: %s is not installed", program)
		}
	}
	dir := t.TempDir()
	install := exec.CommandContext(t.Context(), "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", dir, pkg)
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("skipping the npm verifier: %s cannot be had: %v\n%s", pkg, err, out)
	}
	return dir
}
