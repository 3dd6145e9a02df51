use std::fmt::Debug;

use super::*;
use crate::wire::Put;
use crate::wire::put::{STRING_LEN_MAX, varlong_len};
use crate::wire::testing::{Random, hex};

/// What `read` makes of `bytes`, all of which it has to take.
fn whole<'a, T>(
    bytes: &'a [u8],
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Malformed>,
) -> Result<T, Malformed> {
    let mut input = Reader::new(bytes);
    let value = read(&mut input)?;
    input.finish()?;
    Ok(value)
}

/// Checks that every start of `bytes` is refused.
fn assert_cuts_refused<'a, T: Debug>(
    bytes: &'a [u8],
    read: impl Fn(&mut Reader<'a>) -> Result<T, Malformed>,
) {
    for len in 0..bytes.len() {
        let cut = read(&mut Reader::new(&bytes[..len]));
        assert!(cut.is_err(), "{len} bytes of {bytes:?}: {cut:?}");
    }
}

#[test]
fn unsigned_varints_have_the_bytes_of_the_protocol() {
    let known: &[(u32, &[u8])] = &[
        (0, &[0]),
        (1, &[1]),
        (127, &[0x7f]),
        (128, &[0x80, 1]),
        (300, &[0xac, 2]),
        (16_383, &[0xff, 0x7f]),
        (16_384, &[0x80, 0x80, 1]),
        (u32::MAX, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
    ];
    for (value, bytes) in known {
        let mut out = Vec::new();
        out.put_unsigned_varint(*value);
        assert_eq!(hex(&out), hex(bytes));
        assert_eq!(whole(bytes, Reader::unsigned_varint), Ok(*value));
        assert_cuts_refused(bytes, Reader::unsigned_varint);
    }
}

#[test]
fn varints_have_the_bytes_of_the_protocol() {
    let known: &[(i32, &[u8])] = &[
        (0, &[0]),
        (-1, &[1]),
        (1, &[2]),
        (-2, &[3]),
        (63, &[0x7e]),
        (-64, &[0x7f]),
        (64, &[0x80, 1]),
        (-65, &[0x81, 1]),
        (i32::MAX, &[0xfe, 0xff, 0xff, 0xff, 0x0f]),
        (i32::MIN, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
    ];
    for (value, bytes) in known {
        let mut out = Vec::new();
        out.put_varint(*value);
        assert_eq!(hex(&out), hex(bytes));
        assert_eq!(whole(bytes, Reader::varint), Ok(*value));
        assert_eq!(whole(bytes, Reader::varlong), Ok(i64::from(*value)));
        assert_cuts_refused(bytes, Reader::varint);
    }
}

#[test]
fn varlongs_read_back_and_have_the_length_foretold() {
    let mut random = Random::new(5);
    let powers = (0..64).map(|bit| 1_i64 << bit);
    let edges = powers.flat_map(|power| {
        let below = power.wrapping_sub(1);
        [power, below, !power, !below]
    });
    let values: Vec<i64> = edges
        .chain((0..10_000).map(|_| random.next() as i64 >> (random.next() % 64)))
        .collect();
    for value in values {
        let mut out = Vec::new();
        out.put_varlong(value);
        assert_eq!(out.len(), varlong_len(value), "{value}");
        assert_eq!(whole(&out, Reader::varlong), Ok(value));
        assert_cuts_refused(&out, Reader::varlong);
    }
    assert_eq!(varlong_len(i64::MIN), 10);
    assert_eq!(varlong_len(0), 1);
}

#[test]
fn varints_that_are_too_long_or_too_large_are_refused() {
    let eleven = [0xff; 11];
    assert!(Reader::new(&eleven).unsigned_varint().is_err());
    assert!(Reader::new(&eleven).varint().is_err());
    assert!(Reader::new(&eleven).varlong().is_err());
    let over_32_bits = [0xff, 0xff, 0xff, 0xff, 0x1f];
    assert!(Reader::new(&over_32_bits).unsigned_varint().is_err());
    assert!(Reader::new(&over_32_bits).varint().is_err());
    let six = [0x80, 0x80, 0x80, 0x80, 0x80, 0];
    assert!(Reader::new(&six).unsigned_varint().is_err());
    let mut over_64_bits = [0xff; 10];
    over_64_bits[9] = 2;
    assert!(Reader::new(&over_64_bits).varlong().is_err());
    over_64_bits[9] = 1;
    assert_eq!(Reader::new(&over_64_bits).varlong(), Ok(i64::MIN));
}

#[test]
fn numbers_are_big_endian() {
    let bytes = [0xfe, 2, 3, 4, 5, 6, 7, 8];
    assert_eq!(Reader::new(&bytes).u8(), Ok(0xfe));
    assert_eq!(Reader::new(&bytes).i8(), Ok(-2));
    assert_eq!(Reader::new(&bytes).u16(), Ok(0xfe02));
    assert_eq!(Reader::new(&bytes).i16(), Ok(0xfe02_u16 as i16));
    assert_eq!(Reader::new(&bytes).u32(), Ok(0xfe02_0304));
    assert_eq!(Reader::new(&bytes).i32(), Ok(0xfe02_0304_u32 as i32));
    let long = 0xfe02_0304_0506_0708_u64 as i64;
    assert_eq!(whole(&bytes, Reader::i64), Ok(long));
    assert_cuts_refused(&bytes, Reader::i64);
    let mut out = Vec::new();
    out.put_i64(long);
    assert_eq!(out, bytes);
    let mut out = Vec::new();
    out.put_bool(true);
    out.put_i8(-2);
    out.put_i16(-2);
    out.put_i32(-2);
    assert_eq!(hex(&out), "01 fe ff fe ff ff ff fe ");
}

#[test]
fn strings_and_bytes_have_both_forms() {
    let check = |flexible, string: &[u8], bytes: &[u8], null_string: &[u8], null_bytes: &[u8]| {
        let mut out = Vec::new();
        out.put_string("é", flexible);
        assert_eq!(out, string);
        out.clear();
        out.put_bytes(&[9], flexible);
        assert_eq!(out, bytes);
        out.clear();
        out.put_nullable_string(None, flexible);
        assert_eq!(out, null_string);
        out.clear();
        out.put_null_len(flexible);
        assert_eq!(out, null_bytes);

        assert_eq!(whole(string, |input| input.string(flexible)), Ok("é"));
        assert_eq!(whole(bytes, |input| input.bytes(flexible)), Ok(&[9][..]));
        assert!(Reader::new(null_string).string(flexible).is_err());
        assert!(Reader::new(null_bytes).bytes(flexible).is_err());
        let string = whole(null_string, |input| input.nullable_string(flexible));
        assert_eq!(string, Ok(None));
        let bytes = whole(null_bytes, |input| input.nullable_bytes(flexible));
        assert_eq!(bytes, Ok(None));
        assert!(Reader::new(null_bytes).array(flexible, Reader::u8).is_err());
        let array = whole(null_bytes, |input| {
            input.nullable_array(flexible, Reader::u8)
        });
        assert_eq!(array, Ok(None));
    };
    check(
        false,
        &[0, 2, 0xc3, 0xa9],
        &[0, 0, 0, 1, 9],
        &[0xff; 2],
        &[0xff; 4],
    );
    check(true, &[3, 0xc3, 0xa9], &[2, 9], &[0], &[0]);
}

#[test]
fn text_that_is_not_utf_8_is_refused() {
    assert!(Reader::new(&[0, 2, 0xc3, 0x28]).string(false).is_err());
    assert!(Reader::new(&[2, 0xff]).string(true).is_err());
    assert!(Reader::new(&[2, 0xff]).nullable_string(true).is_err());
}

#[test]
fn lengths_that_no_frame_can_hold_are_refused() {
    for len in [i32::MAX, -2, i32::MIN, 41] {
        let frame = [&len.to_be_bytes()[..], &[0; 40]].concat();
        assert!(Reader::new(&frame).bytes(false).is_err(), "{len}");
        assert!(Reader::new(&frame).nullable_bytes(false).is_err(), "{len}");
        assert!(
            Reader::new(&frame).array(false, Reader::u8).is_err(),
            "{len}"
        );
    }
    for len in [i16::MAX, -2, i16::MIN, 41] {
        let frame = [&len.to_be_bytes()[..], &[0; 40]].concat();
        assert!(Reader::new(&frame).string(false).is_err(), "{len}");
        assert!(Reader::new(&frame).nullable_string(false).is_err(), "{len}");
    }
    for len in [&[0xff, 0xff, 0xff, 0xff, 0x0f][..], &[42]] {
        let frame = [len, &[0; 40]].concat();
        assert!(Reader::new(&frame).string(true).is_err(), "{len:?}");
        assert!(Reader::new(&frame).bytes(true).is_err(), "{len:?}");
        assert!(
            Reader::new(&frame).array(true, Reader::u8).is_err(),
            "{len:?}"
        );
    }
}

#[test]
fn arrays_set_aside_no_more_than_the_bytes_that_are_left() {
    assert_eq!(
        vec_for::<[u64; 32]>(65_535, 65_535).capacity(),
        65_535 / 256
    );
    assert_eq!(vec_for::<[u64; 32]>(65_535, 255).capacity(), 0);
    assert_eq!(vec_for::<u8>(10, 65_535).capacity(), 10);
    let frame = [&[0, 0, 0, 200][..], &[7; 200]].concat();
    let large = whole(&frame, |input| {
        input.array(false, |input| Ok([input.u8()?; 256]))
    });
    assert_eq!(large, Ok(vec![[7; 256]; 200]));
}

/// The outer array fits into its frame, the arrays in it do not.
#[test]
fn nested_arrays_that_claim_too_much_are_refused_at_the_first() {
    let frame = [0, 0, 0xff, 0xff].repeat(0x1_0000);
    let (mut outer, mut inner) = (0, 0);
    let result = Reader::new(&frame).array(false, |input| {
        outer += 1;
        input.array(false, |input| {
            inner += 1;
            input.take(16)
        })
    });
    assert!(result.is_err());
    assert_eq!((outer, inner), (1, 0x1_0000 * 4 / 16));
}

#[test]
fn counts_that_no_frame_can_hold_are_refused_before_an_element_is_read() {
    let frame = [&[0, 0, 0, 41][..], &[1; 40]].concat();
    let array = Reader::new(&frame).array(false, |_| -> Result<u8, Malformed> { panic!() });
    assert!(array.is_err());
    let fields = [&[21][..], &[1; 40]].concat();
    let fields = Reader::new(&fields).tagged_fields(true, |_, _| panic!());
    assert!(fields.is_err());
}

#[test]
fn tagged_fields_read_back_and_unknown_ones_are_skipped() {
    let mut out = Vec::new();
    out.put_tagged_fields(&[(0, vec![1]), (5, vec![]), (200, vec![2, 3])]);
    assert_eq!(hex(&out), "03 00 01 01 05 00 c8 01 02 02 03 ");
    let mut seen = Vec::new();
    whole(&out, |input| {
        input.tagged_fields(true, |tag, field| {
            seen.push((tag, field.rest().to_vec()));
            Ok(())
        })
    })
    .unwrap();
    assert_eq!(seen, [(0, vec![1]), (5, vec![]), (200, vec![2, 3])]);
    assert_eq!(whole(&out, |input| input.skip_tagged_fields(true)), Ok(()));
    assert_eq!(whole(&[], |input| input.skip_tagged_fields(false)), Ok(()));
    assert_cuts_refused(&out, |input| input.skip_tagged_fields(true));
}

#[test]
fn tagged_fields_that_lie_are_refused() {
    let refused = |bytes: &[u8]| {
        let skipped = whole(bytes, |input| input.skip_tagged_fields(true));
        assert!(skipped.is_err(), "{bytes:?}");
    };
    refused(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0]); // 2^32 - 1 of them
    refused(&[2, 1, 0, 1, 0]); // a tag twice
    refused(&[2, 2, 0, 1, 0]); // tags that fall
    refused(&[1, 0, 3, 1, 2]); // a size past the end
    refused(&[1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2]); // a size of 2^32 - 1
    let unread = |input: &mut Reader<'_>| {
        input.tagged_fields(true, |_, field| {
            field.u8()?;
            Ok(())
        })
    };
    assert!(whole(&[1, 0, 2, 7, 7], unread).is_err());
    assert!(whole(&[1, 0, 0, 7, 7], unread).is_err());
    assert!(whole(&[1, 0, 1, 7], unread).is_ok());
}

#[test]
fn strings_over_the_limit_are_cut_between_characters() {
    let long = "é".repeat(STRING_LEN_MAX);
    for flexible in [false, true] {
        let mut out = Vec::new();
        out.put_string(&long, flexible);
        let read = whole(&out, |input| input.string(flexible)).unwrap();
        assert_eq!(read.len(), STRING_LEN_MAX - 1);
    }
}

#[test]
fn errors_say_what_and_where() {
    let mut input = Reader::new(&[0, 1, b'x', 0, 9]);
    input.string(false).unwrap();
    let error = input.string(false).unwrap_err();
    assert_eq!(
        error.to_string(),
        "malformed data: value longer than its frame at byte 5"
    );
    let mut part = Reader::new(&[1, 2, 3]);
    part.u8().unwrap();
    let mut part = part.part(1).unwrap();
    assert_eq!(part.u8(), Ok(2));
    assert_eq!(part.u8().unwrap_err().at, 2);
}

#[test]
fn random_bytes_do_not_panic() {
    let mut random = Random::new(2);
    for _ in 0..100_000 {
        let bytes = random.bytes(24);
        let flexible = random.next() & 1 == 0;
        _ = Reader::new(&bytes).varlong();
        _ = Reader::new(&bytes).nullable_string(flexible);
        _ = Reader::new(&bytes).nullable_bytes(flexible);
        _ = Reader::new(&bytes).array(flexible, |input| input.string(flexible));
        _ = Reader::new(&bytes).skip_tagged_fields(true);
    }
}
