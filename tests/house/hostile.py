"""Specs made to hurt: every one must end in a mistake with a place, or in a net, and touch nothing."""

from __future__ import annotations


def hostile() -> dict[str, str]:
    """By name."""
    found = {
        "empty": "",
        "space": "   \n\t\n",
        "bom": "\ufeff3 -> fc4",
        "crlf": "3 -> fc4\r\n-> relu\r\n",
        "nul": "3 -> \x00fc4",
        "surrogate": "3 -> fc4 \ud800",
        "homoglyph": "3 -> fс4",
        "right_to_left": "3 -> \u202efc4",
        "zero_width": "3 -> fc\u200b4",
        "megabyte_of_brackets": "[" * (2**20 - 1),
        "megabyte_of_braces": "{" * (2**20 - 1),
        "megabyte_of_parentheses": "3 -> fc" + "(" * (2**20 - 10),
        "megabyte_token": "3 -> " + "a" * (2**20 - 10),
        "megabyte_number": "3 -> fc " + "9" * (2**20 - 10),
        "megabyte_string": '3 -> fc4 init="' + "a" * (2**20 - 20),
        "megabyte_comment": "#" + "x" * (2**20 - 2),
        "megabyte_of_arrows": "3" + " ->" * (2**20 // 3 - 1),
        "megabyte_of_newlines": "\n" * (2**20 - 1),
        "past_a_megabyte": "3 -> fc4 " + " " * 2**20,
        "repeat_of_10_to_18": "3 -> [fc4]*1000000000000000000",
        "repeat_of_zero": "3 -> [fc4]*0 -> fc1",
        "repeat_of_minus_one": "3 -> [fc4]*(-1)",
        "ten_nested_repeats": "3 -> " + "[" * 10 + "fc4" + "]*100" * 10,
        "nested_repeats_of_nothing": "3 -> " + "[" * 10 + "id" + "]*100" * 10,
        "nested_repeats_of_zero": "3 -> [[[fc4]*0]*10000]*10000",
        "dimension_zero": "0x3 -> flatten",
        "dimension_2_to_63": "9223372036854775808 -> fc1",
        "dimension_2_to_64": "18446744073709551616x3 -> fc1",
        "product_past_2_to_64": "2147483647x2147483647x2147483647 -> flatten fc1",
        "width_past_2_to_64": "3 -> fc2147483647 -> fc2147483647",
        "huge_kernel": "1x8x8 -> conv1 2147483647",
        "huge_stride": "1x8x8 -> conv1 3 s2147483647",
        "stride_zero": "1x8x8 -> conv1 3 s0",
        "huge_dilation": "1x8x8 -> conv1 3 d1000000000",
        "huge_padding": "1x8x8 -> conv1 3 p2000000000",
        "groups_past_channels": "4x8x8 -> conv4 3 g2147483647",
        "pad_past_kernel": "1x8x8 -> maxpool2 p7",
        "rank_nine": "1x1x1x1x1x1x1x1x1 -> flatten",
        "itself": "a: @a -> fc3",
        "two_that_need_each_other": "a: @b -> fc3\nb: @a -> fc3",
        "same_name_twice": "output a: 3 -> fc4\noutput a: 3 -> fc4",
        "unused_input": "a: 3\n3 -> fc4",
        "keyword_names": "in: 3 -> fc4\nif: 3 -> fc4\ntrue: 3 -> fc1",
        "sum_of_20000": "3 -> fc(" + "+".join(["1"] * 20000) + ")",
        "powers_of_powers": "3 -> fc(" + "^".join(["9"] * 500) + ")",
        "twenty_thousand_minuses": "3 -> fc(" + "-" * 20000 + "1)",
        "long_conditional": "3 -> fc(" + "1 if 0 else " * 5000 + "1)",
        "twenty_thousand_nots": "3 -> fc4\nexpect " + "not " * 20000 + "true",
        "calls_in_calls": "3 -> fc(" + "min(" * 60 + "1" + ")" * 60 + ")",
        "power_of_negative": "3 -> fc((-1) ^ 0.5)",
        "division_of_infinities": "3 -> fc((1e300 * 1e300) / 1e300)",
        "log_of_zero": "3 -> fc(log(0))",
        "exp_of_much": "3 -> fc(exp(100000))",
        "round_to_a_million": "3 -> fc(round(1, 1000000000))",
        "maximum_of_nothing": "3 -> fc(max())",
        "sum_of_a_text": '3 -> fc(sum("abc"))',
        "divisible_by_zero": "3 -> fc(divisible(7, 0))",
        "eval": '3 -> fc(eval("1"))',
        "import": '3 -> fc(__import__("os"))',
        "dunder": "3 -> __class__",
        "dunder_attribute": "3 -> fc(x.__class__)\nexpect params.__class__ == 3",
        "path_as_text": '3 -> fc4 init="/etc/passwd"',
        "use_a_file": 'use "/etc/passwd"\n3 -> fc4',
        "use_a_url": 'use "http://localhost/x.nn"\n3 -> fc4',
        "format_string": "3 -> fc4{0.__class__}%s%n",
        "escape_codes": "3 -> \x1b[31mfc4",
        "train_everything": "3 -> fc1\ntrain(batch=2147483647, epochs=2147483647, seed=2147483648)",
        "enormous_train_memory": "3 -> fc1\ntrain(batch=2147483647)\nexpect train_memory > 1",
        "a_hundred_statements_of_nothing": "expect true\n" * 100,
        "thousand_mistakes": "\n".join("3 -> nope" for _ in range(1000)),
    }
    diamonds = "3" + "".join(f" -> a{i}: fc3 -> add[ id | @a{i} ]" for i in range(20))
    found["twenty_diamonds"] = diamonds
    found["twenty_thousand_statements"] = "\n".join(
        f"output o{i}: 3 -> relu" for i in range(20_000)
    )
    found["chain_of_99999"] = "3 -> " + "[" * 2 + "relu" + "]*333" + "]*300" + " -> relu"
    for letter in "->[]()|,:=*@.^%\"'#\\`~!?$&;{}<>":
        found[f"only_{ord(letter)}"] = letter * 50
        found[f"behind_a_net_{ord(letter)}"] = f"3 -> fc4 {letter}"
        found[f"before_a_net_{ord(letter)}"] = f"{letter} 3 -> fc4"
        found[f"inside_a_net_{ord(letter)}"] = f"3 -> fc{letter}4 -> relu"
    for word in ("let", "block", "shared", "for", "if", "else", "use", "in", "and", "not", "true"):
        found[f"begins_with_{word}"] = f"{word} 3 -> fc4"
        found[f"contains_{word}"] = f"3 -> {word} -> fc4"
        found[f"named_{word}"] = f"{word}: 3 -> fc4"
    for operator in ("fc", "conv", "maxpool", "dropout", "add", "concat", "bn", "matmul"):
        for argument in (
            "",
            "0",
            "-1",
            "1.5",
            "1e9",
            "9" * 18,
            "true",
            '"x"',
            "()",
            "(1,2,3)",
            "@a",
        ):
            found[f"{operator}_of_{argument or 'nothing'}"] = f"2x4x4 -> {operator} {argument}"
    return found
