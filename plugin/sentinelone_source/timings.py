"""How long things wait, in one place. All values are seconds."""

from __future__ import annotations

import msgspec


class Timings(msgspec.Struct, frozen=True):
    """Waits of a running source, named for what waits.

    Attributes:
        once_patience: how long `run --once` waits for a console or a shipper that stays away.
        console_first_retry: before a request to a console is made again; doubled each time.
        console_longest_retry: the most that this grows to.
        console_connect: for a connection to a console.
        console_answer: for each part of its answer.
        console_slow: for an answer, beyond which a console counts as slow and shares half of the
            requests with all that are.
        token_refused: between tries with a token that a console refuses.
        token_look: between looks at the token's file meanwhile.
        token_probe: for what other endpoints say of a token that one of them refuses.
        expiry_apart: between the first questions to two consoles when their tokens expire,
        expiry_round: and until all of them have been asked, at most.
        expiry_look: between looks at whether the token is another one.
        expiry_question: between questions when the same token expires.
        expiry_unanswered: until a console is asked again that gave no answer to that.
        longest_obeyed: the most that a `Retry-After` of a console, shipper or Azure makes us wait.
        handover_notice: until a hand-over that is not done is worth a line in the log.
        handover_again: between further lines about the same one.
        settlement_look: between looks at whether the reader of the rows is still there.
        shipper_connect: for a connection to the shipper.
        shipper_answer: for its answer: Vector answers when Azure has taken the rows.
        shipper_slow: for an answer, beyond which rows with this tag share half of the requests with
            all that are as slow.
        shipper_first_retry: before a batch is sent again; doubled for each further time.
        shipper_longest_retry: the most that this grows to.
        shipper_postpone: until a line that is refused alone is left for later.
        shipper_probe: for a connection to the shipper, to say whether the source is ready.
        shipper_idle: until a connection that nobody uses is closed; Fluent Bit logs an error for
            each that is idle for 10.
        azure_connect: for a connection to Azure.
        azure_answer: for each part of its answer.
        ingestion_answer: for the answer to rows; Azure's client would wait for 300.
        query_answer: for the answer of a workspace, which works at a query for up to 180.
        azure_token_again: between two requests for a token: a platform may give the same one twice.
        azure_token_first_retry: before a token is requested again; doubled each time.
        azure_token_longest_retry: the most that this grows to.
        broker_answer: for the first token of the broker; Fluent Bit's engine blocks meanwhile.
        broker_token_left: that a token is still valid when it is handed out; Fluent Bit needs 67.
        broker_quiet: between two lines in the log about wrong secrets.
        replay_first_retry: before rows are sent to Azure again; doubled each time.
        replay_longest_retry: the most that this grows to.
        replay_patience: until a replay gives up, because Azure stays away.
        replay_stop: how long a replay that is stopped waits for the answer to a request.
        health_answer: for the answer of the process that `health` asks.
        doctor_connect: for a connection of `doctor` to the shipper.
        served_connection: that a connection to our own servers may last.
        cursor_lost: before a sweep begins again whose cursor the console lost; more each time.
        feed_refused: until a feed is tried again that the console does not permit, or understand.
        feed_postponed: at most, until a feed is swept again whose rows the shipper refused.
        stop: how long a stopping process waits for its reader to take what has been begun.
        state_busy: how long one connection to the state waits for a commit of another.
        backfill_first_page: that a `run` which has just started has for each feed's first page.
        smaller_pages: until a console that failed at large pages is asked for larger ones again.
    """

    once_patience: float = 600.0
    console_first_retry: float = 1.0
    console_longest_retry: float = 60.0
    console_connect: float = 10.0
    console_answer: float = 90.0
    console_slow: float = 5.0
    token_refused: float = 300.0
    token_look: float = 1.0
    token_probe: float = 30.0
    expiry_apart: float = 10.0
    expiry_round: float = 3600.0
    expiry_look: float = 30.0
    expiry_question: float = 86_400.0
    expiry_unanswered: float = 900.0
    longest_obeyed: float = 3600.0
    handover_notice: float = 10.0
    handover_again: float = 60.0
    settlement_look: float = 1.0
    shipper_connect: float = 10.0
    shipper_answer: float = 600.0
    shipper_slow: float = 30.0
    shipper_first_retry: float = 0.2
    shipper_longest_retry: float = 30.0
    shipper_postpone: float = 60.0
    shipper_probe: float = 0.5
    shipper_idle: float = 2.0
    azure_connect: float = 10.0
    azure_answer: float = 30.0
    ingestion_answer: float = 60.0
    query_answer: float = 200.0
    azure_token_again: float = 30.0
    azure_token_first_retry: float = 1.0
    azure_token_longest_retry: float = 30.0
    broker_answer: float = 4.0
    broker_token_left: float = 120.0
    broker_quiet: float = 60.0
    replay_first_retry: float = 1.0
    replay_longest_retry: float = 60.0
    replay_patience: float = 600.0
    replay_stop: float = 20.0
    health_answer: float = 5.0
    doctor_connect: float = 5.0
    served_connection: float = 10.0
    cursor_lost: float = 1.0
    feed_refused: float = 3600.0
    feed_postponed: float = 10.0
    stop: float = 4.0
    state_busy: float = 60.0
    backfill_first_page: float = 30.0
    smaller_pages: float = 600.0


DEFAULTS = Timings()
