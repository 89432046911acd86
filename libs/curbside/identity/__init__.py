"""Who asks, and what they may: hashed, scoped tokens and the `Principal` behind them."""

from curbside.identity.principal import Principal, Role, Scope, scopes_of

__all__ = ["Principal", "Role", "Scope", "scopes_of"]
