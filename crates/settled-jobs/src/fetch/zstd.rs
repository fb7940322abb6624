//! The `zstd` content encoding, pushed through ruzstd block by block: the decoder is never given more than one block, so that a
//! few bytes which stand for gigabytes are stopped before they are unpacked.

use std::io::{self, Write};

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::encoding::{Decode, cut};

/// The largest window that HTTP allows (RFC 9659).
const WINDOW: u64 = 8 << 20;
const MAGIC: u32 = 0xfd2f_b528;
const CHECKSUM: usize = 4;

/// Where in the stream we are.
#[derive(Clone, Copy)]
enum At {
    /// At the start of a frame, or at the end of all.
    Frame,
    /// At the start of a block.
    Block { checksum: bool },
    /// In a frame of this many more bytes that is no data.
    Skip(u32),
}

pub(super) struct Zstd<'a> {
    at: At,
    /// What came in and makes no whole block yet: at most one of 128 KiB, and what came with it.
    held: Vec<u8>,
    frame: FrameDecoder,
    next: Box<dyn Decode + 'a>,
}

impl<'a> Zstd<'a> {
    pub(super) fn new(next: Box<dyn Decode + 'a>) -> Self {
        Self {
            at: At::Frame,
            held: Vec::new(),
            frame: FrameDecoder::new(),
            next,
        }
    }

    /// Takes one step; returns how many of the held bytes from `from` on it used, none if it needs more of them.
    fn step(&mut self, from: usize) -> io::Result<usize> {
        let held = &self.held[from..];
        match self.at {
            At::Frame => match Header::of(held)? {
                None => Ok(0),
                Some(Header::Skippable { length }) => {
                    self.at = At::Skip(length);
                    Ok(8)
                }
                Some(Header::Data { size, checksum }) => {
                    self.frame = FrameDecoder::new();
                    self.frame.init(&held[..size]).map_err(io::Error::other)?;
                    self.at = At::Block { checksum };
                    Ok(size)
                }
            },
            At::Skip(left) => {
                let skipped = held.len().min(left as usize);
                let left = left - u32::try_from(skipped).unwrap_or(left);
                self.at = if left == 0 { At::Frame } else { At::Skip(left) };
                Ok(skipped)
            }
            At::Block { checksum } => {
                let Some(size) = block(held, checksum) else {
                    return Ok(0);
                };
                let Some(whole) = held.get(..size) else {
                    return Ok(0);
                };
                let last = self
                    .frame
                    .decode_blocks(whole, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(io::Error::other)?;
                self.frame.collect_to_writer(&mut self.next)?;
                if last {
                    self.at = At::Frame;
                }
                Ok(size)
            }
        }
    }
}

/// The size of the block at the start of `held`, with its header, and with the checksum that follows the last one of a frame.
fn block(held: &[u8], checksum: bool) -> Option<usize> {
    let header = u32::from_le_bytes([*held.first()?, *held.get(1)?, *held.get(2)?, 0]);
    let (last, kind, size) = (header & 1 == 1, header >> 1 & 3, header >> 3);
    let content = if kind == 1 { 1 } else { size as usize };
    Some(3 + content + if last && checksum { CHECKSUM } else { 0 })
}

enum Header {
    Data { size: usize, checksum: bool },
    Skippable { length: u32 },
}

impl Header {
    /// The header at the start of `held`; `None` if there is more of it to come.
    fn of(held: &[u8]) -> io::Result<Option<Self>> {
        let Some(magic) = number(held, 0, 4) else {
            return Ok(None);
        };
        if magic >> 4 == 0x0184_d2a5 {
            let length = number(held, 4, 4).and_then(|length| u32::try_from(length).ok());
            return Ok(length.map(|length| Self::Skippable { length }));
        }
        if magic != u64::from(MAGIC) {
            return Err(io::Error::other("no zstd frame"));
        }
        let Some(flags) = held.get(4) else {
            return Ok(None);
        };
        let single = flags & 0x20 != 0;
        let content = match flags >> 6 {
            0 => usize::from(single),
            wide => 1 << wide,
        };
        let dictionary = [0, 1, 2, 4][usize::from(flags & 3)];
        let before = 5 + usize::from(!single) + dictionary;
        let Some(length) = number(held, before, content) else {
            return Ok(None);
        };
        let window = if single {
            if content == 2 { length + 256 } else { length }
        } else {
            let base = 1_u64 << (10 + (held[5] >> 3));
            base + base / 8 * u64::from(held[5] & 7)
        };
        if window > WINDOW {
            return Err(io::Error::other(format!(
                "a zstd window of {window} bytes, where 8 MiB is the most"
            )));
        }
        Ok(Some(Self::Data {
            size: before + content,
            checksum: flags & 4 != 0,
        }))
    }
}

/// The little-endian number of `size` bytes at `at`.
fn number(held: &[u8], at: usize, size: usize) -> Option<u64> {
    let bytes = held.get(at..at + size)?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)),
    )
}

impl Write for Zstd<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        let mut used = 0;
        loop {
            match self.step(used)? {
                0 => break,
                more => used += more,
            }
        }
        self.held.drain(..used);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Decode for Zstd<'_> {
    fn finish(self: Box<Self>) -> io::Result<()> {
        match self.at {
            At::Frame if self.held.is_empty() => self.next.finish(),
            _ => Err(cut()),
        }
    }
}
