package vault

// enveloped stands where a key's id stands in what was sealed directly.
const enveloped = 0

// sealedKey is how long a sealed data key is: nonce, key, tag.
const sealedKey = 12 + keySize + 16

// Envelope seals each thing with a key of its own, and that key with the newest
// master key (envelope encryption): a master key sees no more than 32 bytes of
// each. What it makes is 0, the master key's id, the sealed key, the sealed
// thing. It opens what the keyring sealed directly as well.
type Envelope struct{ *Keyring }

// Seal encrypts plain so that only the same additional data opens it.
func (e Envelope) Seal(plain, aad []byte) ([]byte, error) {
	key := random(keySize)
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	sealed := append([]byte{enveloped, e.newest}, seal(e.aeads[e.newest], key, aad)...)
	return append(sealed, seal(aead, plain, aad)...), nil
}

func (k *Keyring) openEnvelope(sealed, aad []byte) ([]byte, error) {
	const head = 2
	if len(sealed) < head+sealedKey || k.aeads[sealed[1]] == nil {
		return nil, ErrSealed
	}
	key, err := open(k.aeads[sealed[1]], sealed[head:head+sealedKey], aad)
	if err != nil {
		return nil, err
	}
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	return open(aead, sealed[head+sealedKey:], aad)
}
