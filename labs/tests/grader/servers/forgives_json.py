"""Reads JSON as Python does, with NaN and Infinity."""
import json

import good


def parse_json(body):
    try:
        return json.loads(body, object_pairs_hook=good.no_duplicates)
    except (ValueError, RecursionError) as error:
        raise good.bad(str(error)) from None


good.parse_json = parse_json
good.main()
