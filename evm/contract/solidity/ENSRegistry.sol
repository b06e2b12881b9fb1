// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Registry of names (EIP-137)
/// @notice Maps a node to its owner, resolver and time to live. Only the owner
/// of a node, or an operator that the owner approved, may write it. The owner
/// of a node decides over the nodes directly below it at any time.
contract ENSRegistry {
    struct Record {
        address owner;
        address resolver;
        uint64 ttl;
    }

    mapping(bytes32 => Record) private records;
    mapping(address => mapping(address => bool)) private operators;

    event NewOwner(bytes32 indexed node, bytes32 indexed label, address owner);
    event Transfer(bytes32 indexed node, address owner);
    event NewResolver(bytes32 indexed node, address resolver);
    event NewTTL(bytes32 indexed node, uint64 ttl);
    event ApprovalForAll(address indexed owner, address indexed operator, bool approved);

    /// The sender neither owns the node nor is an operator of its owner.
    error NotAuthorised(bytes32 node, address sender);

    modifier authorised(bytes32 node) {
        address holder = records[node].owner;
        if (holder != msg.sender && !operators[holder][msg.sender]) revert NotAuthorised(node, msg.sender);
        _;
    }

    /// @notice The deployer owns the root node.
    constructor() {
        records[0x0].owner = msg.sender;
    }

    function setRecord(bytes32 node, address newOwner, address newResolver, uint64 newTTL) external {
        setOwner(node, newOwner);
        _setResolverAndTTL(node, newResolver, newTTL);
    }

    function setSubnodeRecord(
        bytes32 node,
        bytes32 label,
        address newOwner,
        address newResolver,
        uint64 newTTL
    ) external {
        bytes32 subnode = setSubnodeOwner(node, label, newOwner);
        _setResolverAndTTL(subnode, newResolver, newTTL);
    }

    function setOwner(bytes32 node, address newOwner) public authorised(node) {
        records[node].owner = newOwner;
        emit Transfer(node, newOwner);
    }

    function setSubnodeOwner(bytes32 node, bytes32 label, address newOwner)
        public
        authorised(node)
        returns (bytes32 subnode)
    {
        subnode = keccak256(abi.encodePacked(node, label));
        records[subnode].owner = newOwner;
        emit NewOwner(node, label, newOwner);
    }

    function setResolver(bytes32 node, address newResolver) external authorised(node) {
        records[node].resolver = newResolver;
        emit NewResolver(node, newResolver);
    }

    function setTTL(bytes32 node, uint64 newTTL) external authorised(node) {
        records[node].ttl = newTTL;
        emit NewTTL(node, newTTL);
    }

    function setApprovalForAll(address operator, bool approved) external {
        operators[msg.sender][operator] = approved;
        emit ApprovalForAll(msg.sender, operator, approved);
    }

    /// @notice A node given to the registry itself counts as owned by nobody.
    function owner(bytes32 node) external view returns (address) {
        address holder = records[node].owner;
        return holder == address(this) ? address(0) : holder;
    }

    function resolver(bytes32 node) external view returns (address) {
        return records[node].resolver;
    }

    function ttl(bytes32 node) external view returns (uint64) {
        return records[node].ttl;
    }

    function recordExists(bytes32 node) external view returns (bool) {
        return records[node].owner != address(0);
    }

    function isApprovedForAll(address holder, address operator) external view returns (bool) {
        return operators[holder][operator];
    }

    function _setResolverAndTTL(bytes32 node, address newResolver, uint64 newTTL) private {
        Record storage r = records[node];
        if (r.resolver != newResolver) {
            r.resolver = newResolver;
            emit NewResolver(node, newResolver);
        }
        if (r.ttl != newTTL) {
            r.ttl = newTTL;
            emit NewTTL(node, newTTL);
        }
    }
}
