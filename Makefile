# Aliases for those used to make; run.py is the entry.
.PHONY: demo test lint bench up
demo test lint bench up:
	@python3 run.py $@
