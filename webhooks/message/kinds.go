package message

import "slices"

// Kinds are all public messages. A line is never removed, and its public form
// only ever gains optional fields; anything else is a new version.
//
// The sequence of a message counts the public events of its stream: a kind
// that is published later would renumber what was sent, so whether an event is
// public is decided once, when the event comes into being. [Unpublished] has
// the others.
func Kinds() []Kind {
	return slices.Concat(orderKinds(), checkoutKinds(), productKinds(), customerKinds(), creditNoteKinds(), endpointKinds())
}
