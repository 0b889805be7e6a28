//! Namespaces: what changed in them, and earlier versions of their secrets. Everything delivered is sealed, and is delivered once its record
//! is durable.

mod changes;
mod heads;
mod listing;
mod objects;
mod revisions;
mod spans;
mod unchanged;
mod version;
mod wraps;

pub use changes::{Changes, NamespaceChanges, News, ReadChanges, read_changes};
pub(crate) use heads::last_written_by;
pub use heads::{HeadPage, ListManifestHeads, NewestLink, list_manifest_heads};
pub use listing::{Listed, ListedValue, ListingPage, NewestSigned, ReadListing, read_listing};
pub use objects::Sealed;
pub use revisions::Revisions;
pub use spans::Spans;
pub use unchanged::{Unchanged, Verdict};
pub use version::{ReadVersion, SealedVersion, read_version};
pub use wraps::Delivered;
