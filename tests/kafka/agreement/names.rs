//! The names of numbers in the notes.

const CODES: [(i16, &str); 29] = [
    (-1, "UNKNOWN_SERVER_ERROR"),
    (0, "ok"),
    (2, "CORRUPT_MESSAGE"),
    (3, "UNKNOWN_TOPIC_OR_PARTITION"),
    (5, "LEADER_NOT_AVAILABLE"),
    (6, "NOT_LEADER_OR_FOLLOWER"),
    (10, "MESSAGE_TOO_LARGE"),
    (14, "COORDINATOR_LOAD_IN_PROGRESS"),
    (15, "COORDINATOR_NOT_AVAILABLE"),
    (16, "NOT_COORDINATOR"),
    (17, "INVALID_TOPIC_EXCEPTION"),
    (19, "NOT_ENOUGH_REPLICAS"),
    (21, "INVALID_REQUIRED_ACKS"),
    (32, "INVALID_TIMESTAMP"),
    (33, "UNSUPPORTED_SASL_MECHANISM"),
    (34, "ILLEGAL_SASL_STATE"),
    (35, "UNSUPPORTED_VERSION"),
    (42, "INVALID_REQUEST"),
    (45, "OUT_OF_ORDER_SEQUENCE_NUMBER"),
    (47, "INVALID_PRODUCER_EPOCH"),
    (48, "INVALID_TXN_STATE"),
    (51, "CONCURRENT_TRANSACTIONS"),
    (53, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"),
    (58, "SASL_AUTHENTICATION_FAILED"),
    (59, "UNKNOWN_PRODUCER_ID"),
    (76, "UNSUPPORTED_COMPRESSION_TYPE"),
    (87, "INVALID_RECORD"),
    (90, "PRODUCER_FENCED"),
    (100, "UNKNOWN_TOPIC_ID"),
];

const APIS: [(i16, &str); 7] = [
    (0, "Produce"),
    (3, "Metadata"),
    (10, "FindCoordinator"),
    (17, "SaslHandshake"),
    (18, "ApiVersions"),
    (22, "InitProducerId"),
    (36, "SaslAuthenticate"),
];

pub(super) fn code(number: i16) -> String {
    let found = CODES.iter().find(|(code, _)| *code == number);
    found.map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned())
}

pub(super) fn api_name(key: i16) -> Option<&'static str> {
    let found = APIS.iter().find(|(number, _)| *number == key);
    found.map(|(_, name)| *name)
}
