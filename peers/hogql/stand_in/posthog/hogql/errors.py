"""What hogql_parser imports from PostHog's own code: the names of its errors."""


class BaseHogQLError(Exception):
    pass


class SyntaxError(BaseHogQLError):
    pass


class NotImplementedError(BaseHogQLError):
    pass


class ParsingError(BaseHogQLError):
    pass
