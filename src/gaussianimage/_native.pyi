def instruction_set() -> str: ...

# The entropy coder, for the tests. An operation is (kind, model, value): kind 0 a symbol, 1 raw
# bits (`model` is their number), 2 an integer from 0 up, 3 an integer with a raw sign, 4 an integer
# whose sign has the next model. A model is (weights, confidence, memory).
def rans_encode(
    operations: list[tuple[int, int, int]], models: list[tuple[list[int], int, int]]
) -> bytes: ...
def rans_decode(
    data: bytes,
    operations: list[tuple[int, int, int]],
    models: list[tuple[list[int], int, int]],
) -> tuple[list[int], bool]: ...
def rans_measure(
    operations: list[tuple[int, int, int]], models: list[tuple[list[int], int, int]]
) -> float: ...
