//! What only clients can do: identities, sealing, wraps, unlock, invites and machine tokens.
