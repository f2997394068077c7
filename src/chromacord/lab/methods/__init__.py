"""The literature's methods, which run in torch, and ShotGrade's network as it trains."""
