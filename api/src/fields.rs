//! Reading fields: each error names its field.

use bytes::Bytes;
use keyvawlt_domain::organizations::{Batch, Object};
use keyvawlt_domain::{Error, Result};
use keyvawlt_ledger::manifest::ObjectKind;
use keyvawlt_ledger::{Fault, Signed};
use keyvawlt_proto::v1;

/// An identifier of fixed length.
pub(crate) fn id<T>(field: &'static str, bytes: &[u8], read: impl Fn(&[u8]) -> Result<T, Fault>) -> Result<T> {
    read(bytes).map_err(|fault| Error::Invalid { field, why: fault.why })
}

/// Exactly `N` bytes.
pub(crate) fn array<const N: usize>(field: &'static str, bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| Error::invalid(field, format!("must be {N} bytes")))
}

/// A message that must be there.
pub(crate) fn present<T>(field: &'static str, message: Option<T>) -> Result<T> {
    message.ok_or_else(|| Error::invalid(field, "is missing"))
}

/// A signed statement.
pub(crate) fn signed(field: &'static str, statement: &v1::SignedStatement) -> Result<Signed> {
    id(field, &statement.payload, |payload| Signed::from_parts(payload, &statement.signature))
}

/// A signed statement, out.
pub(crate) fn statement((payload, sig): (impl Into<Bytes>, impl Into<Bytes>)) -> v1::SignedStatement {
    v1::SignedStatement { payload: payload.into(), signature: sig.into() }
}

/// A batch.
pub(crate) fn batch(batch: Option<v1::Batch>) -> Result<Batch> {
    let v1::Batch { links, manifest_links, wraps, objects } = present("batch", batch)?;
    let links = links.iter().map(|link| signed("batch.links", link)).collect::<Result<_>>()?;
    let manifest_links = manifest_links.iter().map(|link| signed("batch.manifest_links", link)).collect::<Result<_>>()?;
    let objects = objects.into_iter().map(object).collect::<Result<_>>()?;
    Batch::decode(links, manifest_links, &wraps, objects)
}

/// `page_size`, with its default and its limit.
pub(crate) fn page_size(asked: u32, default: u32, most: u32) -> Result<u64> {
    match asked {
        0 => Ok(u64::from(default)),
        asked if asked <= most => Ok(u64::from(asked)),
        _ => Err(Error::invalid("page_size", format!("at most {most}"))),
    }
}

/// `page_token`: bytes of a fixed length in hexadecimal; empty for the first page.
pub(crate) fn page_token<const N: usize>(token: &str) -> Result<Option<[u8; N]>> {
    if token.is_empty() {
        return Ok(None);
    }
    let foreign = || Error::invalid("page_token", "it is not from a page of this list");
    hex::decode(token).ok().and_then(|bytes| bytes.try_into().ok()).map(Some).ok_or_else(foreign)
}

/// The name of an actor in audit events: the longest is `invite:` and an id. Empty for everybody.
const MAX_ACTOR: usize = 64;

/// `actor`.
pub(crate) fn actor(name: &str) -> Result<Option<String>> {
    if name.len() > MAX_ACTOR {
        return Err(Error::invalid("actor", format!("at most {MAX_ACTOR} bytes")));
    }
    Ok(Some(name.to_owned()).filter(|name| !name.is_empty()))
}

/// Which object, out.
pub(crate) fn object_kind(kind: ObjectKind) -> v1::ObjectKind {
    match kind {
        ObjectKind::Payload => v1::ObjectKind::Payload,
        ObjectKind::Dek => v1::ObjectKind::Dek,
        ObjectKind::Name => v1::ObjectKind::Name,
        ObjectKind::Facts => v1::ObjectKind::Facts,
    }
}

fn object(object: v1::SecretObject) -> Result<Object> {
    let kind = match object.kind() {
        v1::ObjectKind::Payload => ObjectKind::Payload,
        v1::ObjectKind::Dek => ObjectKind::Dek,
        v1::ObjectKind::Name => ObjectKind::Name,
        v1::ObjectKind::Facts => ObjectKind::Facts,
        v1::ObjectKind::Unspecified => return Err(Error::invalid("batch.objects.kind", "unknown")),
    };
    Ok(Object {
        ns_id: id("batch.objects.ns_id", &object.ns_id, keyvawlt_ledger::NsId::from_slice)?,
        secret_id: id("batch.objects.secret_id", &object.secret_id, keyvawlt_ledger::SecretId::from_slice)?,
        version: object.version,
        kind,
        data: owned(object.data),
    })
}

/// Without a copy where nobody else holds the bytes.
pub(crate) fn owned(bytes: Bytes) -> Vec<u8> {
    bytes.into()
}
