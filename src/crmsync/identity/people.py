"""Which person an event is about. Precedence: user id, then e-mail, then anonymous id.

An anonymous profile joins the first known person it meets. Two known persons become one only by
a call that carries an id of each; a shared anonymous id never joins them: it stays with the
first. Two user ids are never joined (features.md: Z3, C4, C8, G3 and the rule below them).
"""

from __future__ import annotations

from crmsync.identity.directory import Directory
from crmsync.identity.emails import normalise_email
from crmsync.identity.rules import NoteCode
from crmsync.model import Event, EventType, Identifier, IdentifierKind, Profile, ProfileKind

USER_ID = IdentifierKind.USER_ID
EMAIL = IdentifierKind.EMAIL
ANONYMOUS_ID = IdentifierKind.ANONYMOUS_ID


def person_identifiers(event: Event) -> list[Identifier]:
    """Name every identifier by which `person_of` looks."""
    found = [Identifier(EMAIL, email) for email in _emails(event)]
    if event.user_id is not None:
        found.append(Identifier(USER_ID, event.user_id))
    if event.anonymous_id is not None:
        found.append(Identifier(ANONYMOUS_ID, event.anonymous_id))
    if event.previous_id is not None:
        found += _previous_identifiers(event.previous_id)
    return found


def person_of(event: Event, directory: Directory) -> tuple[Profile, bool]:
    """Find or make the person, and link every id that the event carries.

    Also tells whether the event's e-mail may be kept as theirs: not where it is another's.
    """
    if event.type is EventType.ALIAS and event.previous_id is not None:
        return _aliased_person(event, event.previous_id, directory)
    return _person(event, directory)


def _person(event: Event, directory: Directory) -> tuple[Profile, bool]:
    emails = _emails(event)
    anonymous_id = event.anonymous_id
    anonymous = None if anonymous_id is None else Identifier(ANONYMOUS_ID, anonymous_id)
    visitor = None if anonymous is None else directory.find(anonymous)
    person = _known_person(event, emails, directory)
    if person is None and visitor is not None:
        names_nobody = event.user_id is None and not emails
        person = visitor if names_nobody or not is_known(visitor) else None
    if person is None:
        person = directory.create(ProfileKind.PERSON)
    if event.user_id is not None:
        _link_user_id(person, event.user_id, directory)
    own_email = True
    for email in emails:
        person, own_email = _link_email(person, email, event, directory)
    if anonymous is not None:
        person = _link_visitor(person, visitor, anonymous, event, directory)
    return person, own_email


def _known_person(event: Event, emails: list[str], directory: Directory) -> Profile | None:
    """Find who has the user id, else who has an e-mail and no other user id."""
    if event.user_id is not None:
        person = directory.find(Identifier(USER_ID, event.user_id))
        if person is not None:
            return person
    for email in emails:
        person = directory.find(Identifier(EMAIL, email))
        if person is not None and (event.user_id is None or person.user_id is None):
            return person
    return None


def _link_user_id(person: Profile, user_id: str, directory: Directory) -> None:
    directory.claim(Identifier(USER_ID, user_id), person)
    if person.user_id is None:
        person.user_id = user_id
        directory.touch(person).changed.add("user_id")


def _link_email(
    person: Profile, email: str, event: Event, directory: Directory
) -> tuple[Profile, bool]:
    """Let an e-mail name the person; whether it may."""
    identifier = Identifier(EMAIL, email)
    holder = directory.find(identifier)
    if holder is person:
        return person, True
    if holder is None:
        directory.claim(identifier, person)
        return person, True
    if person.user_id is None or holder.user_id is None:
        return directory.merge(person, holder, EMAIL, event.message_id), True
    directory.note(
        NoteCode.IDENTIFIER_CONFLICT,
        event,
        "the e-mail belongs to a person with another userId and stays there; if both are one "
        "person, send an alias before the second userId is first used",
    )
    return person, False


def _link_visitor(
    person: Profile,
    visitor: Profile | None,
    anonymous: Identifier,
    event: Event,
    directory: Directory,
) -> Profile:
    """Join what the visitor did before to the person, unless the visitor is somebody else."""
    if visitor is None:
        directory.claim(anonymous, person)
        return person
    visitor = directory.became(visitor)
    if visitor is person or is_known(visitor):
        return person
    return directory.merge(person, visitor, ANONYMOUS_ID, event.message_id)


def _aliased_person(event: Event, previous_id: str, directory: Directory) -> tuple[Profile, bool]:
    """Make the previous id and the event's own ids one person, unless both are user ids."""
    identifiers = _previous_identifiers(previous_id)
    found = (directory.find(identifier) for identifier in identifiers)
    previous = next((profile for profile in found if profile is not None), None)
    if previous is None:
        person, own_email = _person(event, directory)
        directory.claim(identifiers[-1], person)
        return person, own_email
    if _known_person(event, _emails(event), directory) is None:
        _rename(previous, event, directory)
    person, own_email = _person(event, directory)
    previous = directory.became(previous)
    if person is previous:
        return person, own_email
    if person.user_id is not None and previous.user_id is not None:
        directory.note(
            NoteCode.ALIAS_CONFLICT, event, "userId and previousId name two known people; both stay"
        )
        return person, own_email
    return directory.merge(person, previous, "alias", event.message_id), own_email


def _rename(person: Profile, event: Event, directory: Directory) -> None:
    """Give a person the event's ids, which are nobody's yet; their old ones still find them."""
    if event.user_id is not None:
        directory.claim(Identifier(USER_ID, event.user_id), person)
        person.user_id = event.user_id
        directory.touch(person).changed.add("user_id")
    for email in _emails(event):
        directory.claim(Identifier(EMAIL, email), person)


def _emails(event: Event) -> list[str]:
    """Give the e-mail that names the person, then the one that the traits say is theirs."""
    emails = [] if event.email is None else [event.email]
    if event.type is not EventType.GROUP and event.traits:
        email = event.traits.get("email")
        if email is not None and email != event.email:
            emails.append(email)
    return emails


def _previous_identifiers(previous_id: str) -> list[Identifier]:
    """Give what an earlier id may be known as; an unknown one becomes the last."""
    identifiers = [Identifier(USER_ID, previous_id), Identifier(ANONYMOUS_ID, previous_id)]
    email = normalise_email(previous_id)
    return identifiers if email is None else [*identifiers, Identifier(EMAIL, email)]


def is_known(person: Profile) -> bool:
    """Whether somebody has said who this person is; an anonymous visitor is nobody yet."""
    return bool(person.user_id or person.email or person.identified_at)
