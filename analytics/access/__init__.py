"""Who asks, and what each of them may do: identities, roles, tokens, sessions, the audit."""
