"""Checks query texts by PostHog's own grammar and by the rules that the grammar does not know.

Reads one JSON object per line from standard input: `name`, `query`, and `values`, the constants of the text's
placeholders. Prints each violation and ends with 1 if there is one, or if there was nothing to read.
`--self-test` shows that each rule refuses the text that breaks it.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "stand_in"))

import hogql_parser  # noqa: E402

from allowed import FUNCTIONS, MOST_ROWS, REFUSED, TABLES  # noqa: E402


def violations(text, values):
    """Every rule that `text` breaks, as sentences."""
    tree = json.loads(hogql_parser.parse_select_json(text))
    if tree.get("error"):
        return [f"grammar: {tree['message']} at {tree['start']['offset']}"]
    tree = without_positions(tree)
    return [
        *limits(tree),
        *offsets(tree),
        *functions(tree),
        *placeholders(tree, values),
        *names(tree, {}),
    ]


def limits(tree):
    """PostHog cuts the outermost query at 100 rows, and each branch of an outermost UNION, where it has no LIMIT."""
    for branch in branches(tree) if tree["node"] == "SelectSetQuery" else [tree]:
        limit = branch.get("limit")
        if limit is None:
            yield "limit: a query without LIMIT is cut at 100 rows"
        elif limit["node"] != "Constant" or not 0 < limit["value"] <= MOST_ROWS:
            yield f"limit: LIMIT is a number up to {MOST_ROWS}"


def offsets(tree):
    for node in nodes(tree):
        if node.get("offset") is not None or node.get("offset_value") is not None:
            yield "offset: OFFSET is refused for personal API keys"


def functions(tree):
    for node in nodes(tree):
        if node["node"] == "WindowFunction" or node["node"] == "Call":
            name = node["name"]
            if name not in FUNCTIONS:
                yield f"function: {name} {REFUSED.get(name, 'is not in the list of allowed functions')}"
        elif node["node"] == "Field" and node["chain"][0] in REFUSED:
            yield f"function: {node['chain'][0]} {REFUSED[node['chain'][0]]}"


def placeholders(tree, values):
    asked = {".".join(map(str, node["expr"]["chain"])) for node in nodes(tree) if node["node"] == "Placeholder"}
    for name in sorted(asked - set(values)):
        yield f"placeholder: {{{name}}} has no value"
    for name in sorted(set(values) - asked):
        yield f"placeholder: the value {name} is not used"


def names(tree, outer):
    """Tables and columns have to exist; so do, inside a query, those that a WITH around it (`outer`) brings."""
    if tree["node"] == "SelectSetQuery":
        for branch in branches(tree):
            yield from names(branch, outer)
        return
    known = dict(outer)
    for cte in tree.get("ctes") or []:
        known[cte["name"]] = columns_of(cte["expr"])
        if cte["expr"]["node"] in ("SelectQuery", "SelectSetQuery"):
            yield from names(cte["expr"], known)
    columns, prefixes = set(), {}
    join = tree.get("select_from")
    while join:
        table = join["table"]
        if table["node"] == "Field":
            name = table["chain"][0]
            if name in known:
                found = known[name]
            elif len(table["chain"]) == 1 and name in TABLES:
                found = TABLES[name]
            else:
                yield f"table: {'.'.join(table['chain'])} is not a known table"
                return
            prefixes[join.get("alias") or name] = found
        else:
            yield from names(table, known)
            found = columns_of(table)
            if join.get("alias"):
                prefixes[join["alias"]] = found
        columns |= found
        join = join.get("next_join")
    aliases = {node["alias"] for node in own(tree) if node["node"] == "Alias"}
    for node in own(tree):
        if node["node"] == "Field":
            chain = [str(part) for part in node["chain"]]
            if len(chain) > 1 and chain[0] in prefixes:
                known_here, chain = prefixes[chain[0]], chain[1:]
            else:
                known_here = columns | aliases | set(known)
            if not column_known(chain, known_here) and chain[0] not in REFUSED:
                yield f"column: {'.'.join(chain)} is not a known column"
        elif node["node"] in ("SelectQuery", "SelectSetQuery"):
            yield from names(node, known)


def column_known(chain, known):
    return chain == ["*"] or ".".join(chain) in known or (len(chain) > 1 and ".".join(chain[:-1]) + ".*" in known)


def columns_of(select):
    """The names that a sub-select gives to the query around it: those of its first branch."""
    if select["node"] == "SelectSetQuery":
        return columns_of(select["initial_select_query"])
    if select["node"] != "SelectQuery":
        return set()
    found = set()
    for column in select["select"]:
        if column["node"] == "Alias":
            found.add(column["alias"])
        elif column["node"] == "Field":
            found.add(".".join(map(str, column["chain"])))
    return found


def branches(union):
    """The SELECTs of a UNION, with those of a UNION inside it."""
    for branch in [union["initial_select_query"], *(node["select_query"] for node in union["subsequent_select_queries"])]:
        if branch["node"] == "SelectSetQuery":
            yield from branches(branch)
        else:
            yield branch


def own(tree):
    """The nodes of one SELECT, down to but not into the SELECTs inside it, and none of its FROM."""
    stack = [value for key, value in tree.items() if key not in ("select_from", "ctes")]
    join = tree.get("select_from")
    while join:
        stack.append(join.get("constraint"))
        join = join.get("next_join")
    while stack:
        value = stack.pop()
        if isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, dict):
            if "node" in value:
                yield value
            if value.get("node") not in ("SelectQuery", "SelectSetQuery", "Placeholder"):
                stack.extend(value.values())


def nodes(value):
    if isinstance(value, list):
        for item in value:
            yield from nodes(item)
    elif isinstance(value, dict):
        if "node" in value:
            yield value
        for item in value.values():
            yield from nodes(item)


def without_positions(value):
    if isinstance(value, dict):
        return {key: without_positions(item) for key, item in value.items() if key not in ("start", "end")}
    if isinstance(value, list):
        return [without_positions(item) for item in value]
    return value


# A text for each rule, with the rule that it breaks; `None` breaks none.
CASES = [
    (None, "SELECT count() AS n FROM events WHERE event IN ('$pageview', '$screen') LIMIT 1"),
    (None, "SELECT n FROM (SELECT count() AS n FROM events UNION ALL SELECT 1 AS n) LIMIT 200"),
    (None, "SELECT uniqExact(person_id) AS n FROM events WHERE event = {event} LIMIT 1"),
    (None, "SELECT session.$entry_referring_domain AS r, properties.$pathname AS p FROM events LIMIT 8"),
    (None, "SELECT s.$session_duration AS d FROM sessions AS s WHERE $start_timestamp > now() - INTERVAL 1 DAY LIMIT 8"),
    (None, "WITH busy AS (SELECT event AS e FROM events) SELECT e FROM busy LIMIT 1"),
    (None, "SELECT count() AS n FROM events LIMIT 1 UNION ALL SELECT 2 AS n LIMIT 1"),
    ("grammar", "SELECT count( FROM events LIMIT 1"),
    ("grammar", "SELEC 1"),
    ("limit", "SELECT event FROM events"),
    ("limit", "SELECT 1 AS n LIMIT 1 UNION ALL SELECT 2 AS n"),
    ("limit", "SELECT event FROM events LIMIT 50001"),
    ("offset", "SELECT event FROM events LIMIT 1 OFFSET 5"),
    ("offset", "SELECT n FROM (SELECT 1 AS n LIMIT 1 OFFSET 2) LIMIT 1"),
    ("offset", "SELECT event FROM events LIMIT 1 OFFSET 2 BY event LIMIT 3"),
    ("function", "SELECT uniqCombined(person_id) AS n FROM events LIMIT 1"),
    ("function", "SELECT makeItSo(person_id) AS n FROM events LIMIT 1"),
    ("function", "SELECT count() AS n FROM events WHERE timestamp > today() LIMIT 1"),
    ("function", "SELECT count() AS n FROM events WHERE timestamp > yesterday() LIMIT 1"),
    ("function", "SELECT count() AS n FROM events WHERE timestamp > current_date LIMIT 1"),
    ("table", "SELECT event FROM visits LIMIT 1"),
    ("table", "SELECT n FROM (SELECT count() AS n FROM visits) LIMIT 1"),
    ("column", "SELECT pathname FROM events LIMIT 1"),
    ("column", "SELECT session.$pathname AS p FROM events LIMIT 1"),
    ("column", "SELECT m FROM (SELECT count() AS n FROM events) LIMIT 1"),
    ("column", "WITH busy AS (SELECT event AS e FROM events) SELECT f FROM busy LIMIT 1"),
    ("placeholder", "SELECT count() AS n FROM events WHERE event = {other} LIMIT 1"),
]


def self_test():
    failed = 0
    for rule, text in CASES:
        values = {"event": "signed_up"} if "{event}" in text else {}
        broken = {violation.split(":")[0] for violation in violations(text, values)}
        if broken != ({rule} if rule else set()):
            failed += 1
            print(f"expected {rule or 'no violation'}, found {sorted(broken)}: {text}")
    print(f"self-test: {len(CASES) - failed} of {len(CASES)} texts judged rightly")
    return failed == 0


def check(lines):
    read = failed = 0
    for line in lines:
        query = json.loads(line)
        read += 1
        for violation in violations(query["query"], query.get("values", {})):
            failed += 1
            print(f"{query['name']}: {violation}\n    {query['query']}")
    print(f"{read} query texts, {failed} violations")
    return read > 0 and failed == 0


if __name__ == "__main__":
    sys.exit(0 if (self_test() if "--self-test" in sys.argv else check(sys.stdin)) else 1)
