"""The provider that costs nothing: it renders real clips, keeps the books for our money, and calls no other service."""
