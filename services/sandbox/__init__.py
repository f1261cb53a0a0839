"""The provider that costs nothing: it speaks the providers' HTTP, renders real clips, and keeps the books that our
money is checked against. It never speaks to any other service of ours."""
