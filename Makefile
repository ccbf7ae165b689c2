# One line each; longer ones live in scripts/.
.PHONY: demo test fuzz bench lint docs
demo: ; @scripts/demo.sh
test: ; @scripts/test.sh
fuzz: ; @scripts/fuzz.sh
bench: ; @scripts/bench.sh
lint: ; @scripts/lint.sh
docs: ; @scripts/docs.sh
